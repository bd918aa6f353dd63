import { connectionFailed } from './errors';
import { request, requestJson } from './http';
import type { Kind, Media } from './media';
import type { Options } from './options';
import { Peer, type PeerListener } from './peer';
import { RTVI, encodeSignalling, signallingType } from './rtvi';
import { fieldsOf, parseObject, textOrNull, type Wire } from './wire';

/** The way to one kind of server. It outlives its connections: connecting again comes back to the same conversation. */
export interface Transport {
  readonly carriesVideo: boolean;
  createWire(): Promise<Wire>;
  /** A connection on which messages flow. */
  connect(media: Media, listener: PeerListener, signal: AbortSignal): Promise<Peer>;
  /** Tell the server that a track is muted, or not any more. */
  trackEnabled(peer: Peer, kind: Kind, enabled: boolean): void;
}

/** The transport that the options name, or that the address means. */
export function createTransport(options: Options): Transport {
  const { hostname, pathname } = new URL(options.conversationUrl);
  const isOpenAI = hostname === 'api.openai.com' || pathname.replace(/\/+$/, '').endsWith('/realtime/calls');
  const name = options.transport ?? (isOpenAI ? 'openai' : 'smallwebrtc');
  return name === 'openai' ? new OpenAITransport(options) : new SmallWebRTCTransport(options);
}

const PING_INTERVAL_MS = 1000;
const FIRST_CANDIDATES_MS = 100; // those of this machine are there by then; an ICE server's may come later
const ALL_CANDIDATES_MS = 2000;

/** SmallWebRTC with RTVI messages: pipecat's servers and the embedded one. */
class SmallWebRTCTransport implements Transport {
  readonly carriesVideo = true;
  private url: string;
  private peerId: string | null = null;
  private iceServers: RTCIceServer[] = [];

  constructor(private readonly options: Options) {
    const url = options.conversationUrl.replace(/\/+$/, '');
    this.url = /\/(api\/offer|start)$/.test(new URL(url).pathname) ? url : `${url}/api/offer`;
  }

  async createWire(): Promise<Wire> {
    return new RTVI();
  }

  async connect(media: Media, listener: PeerListener, signal: AbortSignal): Promise<Peer> {
    if (this.url.endsWith('/start')) await this.start(signal);
    const { iceServers } = this;
    const peer = new Peer(this.options, media, this.renegotiating(listener, () => peer, signal), {
      label: 'chat',
      iceServers,
      video: this.options.video,
    });
    const close = () => peer.close();
    signal.addEventListener('abort', close);
    try {
      await peer.createOffer();
      await peer.gathered(FIRST_CANDIDATES_MS);
      const late: RTCIceCandidate[] = [];
      peer.onCandidate = (candidate) => candidate && late.push(candidate);
      const answer = await this.exchange(peer, true, signal);
      peer.onCandidate = (candidate) => candidate && void this.trickle([candidate], signal);
      if (late.length) void this.trickle(late, signal);
      await peer.accept(answer);
      this.keepPinging(peer, signal);
      return peer;
    } catch (error) {
      peer.close();
      throw error;
    } finally {
      if (!signal.aborted) signal.removeEventListener('abort', close);
    }
  }

  trackEnabled(peer: Peer, kind: Kind, enabled: boolean): void {
    peer.send(encodeSignalling('trackStatus', { receiver_index: kind === 'audio' ? 0 : 1, enabled }));
  }

  /** Ask for a session, as pipecat's runner has it; its address takes the place of the one that was given. */
  private async start(signal: AbortSignal): Promise<void> {
    const { token } = this.options;
    const body = { transport: 'webrtc', enableDefaultIceServers: false, body: { token } };
    const session = await requestJson('POST', this.url, body, token, signal);
    const id = textOrNull(session['sessionId']);
    if (!id) throw connectionFailed("the server's answer names no session");
    const servers = fieldsOf(session['iceConfig'])['iceServers'];
    this.iceServers = Array.isArray(servers) ? (servers as RTCIceServer[]) : [];
    this.url = this.url.replace(/start$/, `sessions/${encodeURIComponent(id)}/api/offer`);
  }

  private async exchange(peer: Peer, restart: boolean, signal: AbortSignal): Promise<string> {
    const { token } = this.options;
    const body = { sdp: peer.offer, type: 'offer', requestData: { token } };
    const again = this.peerId ? { pc_id: this.peerId, restart_pc: restart } : {};
    const answer = await requestJson('POST', this.url, { ...body, ...again }, token, signal);
    const sdp = textOrNull(answer['sdp']);
    if (!sdp || answer['type'] !== 'answer') throw connectionFailed("the server's answer holds no SDP answer");
    this.peerId = textOrNull(answer['pc_id']) ?? this.peerId;
    return sdp;
  }

  /** Send candidates that the offer did not have yet; without them, ICE goes on with those that it had. */
  private async trickle(found: RTCIceCandidate[], signal: AbortSignal): Promise<void> {
    const candidates = found.map(({ candidate, sdpMid, sdpMLineIndex }) => ({
      candidate,
      sdp_mid: sdpMid,
      sdp_mline_index: sdpMLineIndex,
    }));
    const body = JSON.stringify({ pc_id: this.peerId, candidates });
    await request('PATCH', this.url, { token: this.options.token, body, signal }).catch(() => undefined);
  }

  /** `listener`, with the server's wish to negotiate anew kept here. */
  private renegotiating(listener: PeerListener, peer: () => Peer, signal: AbortSignal): PeerListener {
    const renegotiate = async () => {
      try {
        await peer().createOffer();
        await peer().accept(await this.exchange(peer(), false, signal));
      } catch (error) {
        peer().onFailed('network', connectionFailed(`negotiating anew failed: ${String(error)}`));
      }
    };
    return {
      onNews: () => listener.onNews(),
      onTrack: (track) => listener.onTrack(track),
      onClosed: (reason, error) => listener.onClosed(reason, error),
      onMessage: (text) => {
        const isWish = text.includes('"renegotiate"') && signallingType(parseObject(text) ?? {}) === 'renegotiate';
        if (isWish) void renegotiate();
        else listener.onMessage(text);
      },
    };
  }

  private keepPinging(peer: Peer, signal: AbortSignal): void {
    const ping = () => peer.send(`ping: ${Date.now()}`);
    ping();
    const timer = setInterval(ping, PING_INTERVAL_MS);
    signal.addEventListener('abort', () => clearInterval(timer));
  }
}

/** OpenAI Realtime over WebRTC: voice only, and each connection is a new call. */
class OpenAITransport implements Transport {
  readonly carriesVideo = false;
  private readonly url: string;

  constructor(private readonly options: Options) {
    const url = new URL(options.conversationUrl);
    const path = url.pathname.replace(/\/+$/, '');
    if (!path.endsWith('/realtime/calls')) url.pathname = `${path || '/v1'}/realtime/calls`;
    this.url = url.href;
  }

  /** Loaded by who talks with such a server, and by nobody else. */
  async createWire(): Promise<Wire> {
    return new (await import('./openai')).OpenAIRealtime();
  }

  async connect(media: Media, listener: PeerListener, signal: AbortSignal): Promise<Peer> {
    const peer = new Peer(this.options, media, listener, { label: 'oai-events', video: false });
    signal.addEventListener('abort', () => peer.close());
    try {
      await peer.createOffer();
      await peer.gathered(ALL_CANDIDATES_MS); // the API takes none after the offer
      const { token } = this.options;
      const answer = await request('POST', this.url, { token, body: peer.offer, type: 'application/sdp', signal });
      await peer.accept(await answer.text());
      return peer;
    } catch (error) {
      peer.close();
      throw error;
    }
  }

  /** The API has no word for it: a muted microphone sends silence. */
  trackEnabled(): void {}
}
