import { SpikeError, connectionFailed, conversationEnded } from './errors';
import type { DisconnectReason } from './events';
import type { Kind, Media } from './media';
import { QUALITIES, type Options } from './options';

/** Takes what a connection brings. */
export interface PeerListener {
  /** The server has answered, or something has got through. */
  onNews(): void;
  onMessage(text: string): void;
  onTrack(track: MediaStreamTrack): void;
  /** Called once if the connection ends by itself. */
  onClosed(reason: DisconnectReason, error: SpikeError): void;
}

/** One peer connection, from offer to close. It is used once. */
export class Peer {
  readonly pc: RTCPeerConnection;
  /** Candidates that were found after the offer had been taken; the transport sends them on. */
  onCandidate: ((candidate: RTCIceCandidate | null) => void) | null = null;

  private readonly senders: Partial<Record<Kind, RTCRtpSender>> = {};
  private readonly channel: RTCDataChannel;
  private readonly opened: Promise<void>;
  private open!: () => void;
  private fail!: (error: SpikeError) => void;
  private closed = false;

  constructor(
    private readonly options: Options,
    private readonly media: Media,
    private readonly listener: PeerListener,
    { label, iceServers = [], video }: { label: string; iceServers?: RTCIceServer[]; video: boolean },
  ) {
    this.opened = new Promise((resolve, reject) => {
      this.open = resolve;
      this.fail = reject;
    });
    this.opened.catch(() => undefined); // told by `accept`, or nobody waits any more
    this.pc = createConnection({
      iceServers: [...options.iceServers, ...iceServers],
      iceTransportPolicy: options.iceTransportPolicy,
      bundlePolicy: 'max-bundle',
    });
    this.pc.addEventListener('track', ({ track }) => listener.onTrack(track));
    this.pc.addEventListener('icecandidate', ({ candidate }) => this.onCandidate?.(candidate));
    this.pc.addEventListener('connectionstatechange', () => this.onState());
    for (const news of ['signalingstatechange', 'iceconnectionstatechange', 'connectionstatechange']) {
      this.pc.addEventListener(news, () => listener.onNews());
    }
    this.add('audio');
    if (video) this.add('video');
    this.channel = this.pc.createDataChannel(label, { ordered: true });
    this.channel.addEventListener('open', () => {
      listener.onNews();
      this.open();
    });
    this.channel.addEventListener('close', () => this.onGoodbye());
    this.channel.addEventListener('message', ({ data }) => {
      if (typeof data === 'string' && !this.closed) listener.onMessage(data);
    });
    media.onTrack = async (kind, track) => this.senders[kind]?.replaceTrack(track);
  }

  /** The offer for the connection as it is, also in the middle of it (JSEP, RFC 8829). */
  async createOffer(): Promise<void> {
    await this.pc.setLocalDescription();
    for (const kind of ['audio', 'video'] as const) await this.limit(kind);
  }

  /** Return when all candidates have been found, or after `limitMs`. */
  async gathered(limitMs: number): Promise<void> {
    if (this.pc.iceGatheringState === 'complete') return;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, limitMs);
      this.pc.addEventListener('icegatheringstatechange', () => {
        if (this.pc.iceGatheringState !== 'complete') return;
        clearTimeout(timer);
        resolve();
      });
    });
  }

  /**
   * Without the word that no candidates follow: where a server cannot look the names up by which browsers hide their
   * addresses, it would give up before our checks have reached it.
   */
  get offer(): string {
    return (this.pc.localDescription?.sdp ?? '').replace(/^a=end-of-candidates\r\n/gm, '');
  }

  /** Apply the server's answer, a first or a later one, and wait until messages can flow. */
  async accept(sdp: string): Promise<void> {
    try {
      await this.pc.setRemoteDescription({ type: 'answer', sdp });
    } catch (error) {
      throw connectionFailed(`the server's answer is not usable: ${String(error)}`);
    }
    await this.opened;
  }

  send(text: string): void {
    if (this.channel.readyState === 'open') this.channel.send(text);
  }

  close(): void {
    this.closed = true;
    if (this.media.onTrack) this.media.onTrack = null;
    this.fail(connectionFailed('the connection was closed'));
    this.pc.close();
  }

  private add(kind: Kind): void {
    const track = this.media.track(kind);
    const direction = this.media.wants(kind) ? 'sendrecv' : 'recvonly';
    this.senders[kind] = this.pc.addTransceiver(track ?? kind, { direction }).sender;
  }

  /** No more than the quality asks for, and the voice before the picture where there is not enough for both. */
  private async limit(kind: Kind): Promise<void> {
    const sender = this.senders[kind];
    const parameters = sender?.getParameters();
    const [encoding] = parameters?.encodings ?? [];
    if (!sender || !parameters || !encoding) return;
    if (kind === 'video') encoding.maxBitrate = QUALITIES[this.options.videoQuality].bps;
    encoding.priority = encoding.networkPriority = kind === 'audio' ? 'high' : 'low';
    await sender.setParameters(parameters).catch(() => undefined); // a browser that cannot does its best
  }

  private onState(): void {
    if (this.pc.connectionState === 'failed') this.onFailed('network', connectionFailed('no path to the server (ICE failed)'));
    else if (this.pc.connectionState === 'closed') this.onGoodbye();
  }

  /** The server said good-bye on DTLS or SCTP: it is alive, and has ended the call. */
  private onGoodbye(): void {
    this.onFailed('ended', conversationEnded('the server closed the connection'));
  }

  /** Also called where nothing has come for too long. */
  onFailed(reason: DisconnectReason, error: SpikeError): void {
    if (this.closed) return;
    this.fail(error);
    this.listener.onClosed(reason, error);
  }
}

function createConnection(configuration: RTCConfiguration): RTCPeerConnection {
  if (!('RTCPeerConnection' in globalThis)) throw connectionFailed('this browser has no WebRTC', false);
  try {
    return new RTCPeerConnection(configuration);
  } catch (error) {
    throw connectionFailed(`the ICE servers are not usable: ${String(error)}`, false);
  }
}
