import { SpikeError, connectionFailed } from './errors';
import type { AISpeaking, DisconnectReason, Emit, Event, FunctionCall } from './events';
import type { PageFunction } from './functions';
import type { Kind, Media } from './media';
import { Meter } from './meter';
import { Monitor } from './monitor';
import type { Peer, PeerListener } from './peer';
import type { Playback } from './playback';
import { NO_STATS, type ClientStats } from './stats';
import type { Transport } from './transports';
import type { Wire } from './wire';

// How often a speaking AI's level is told: enough for a moving meter.
const LEVEL_INTERVAL_MS = 100;
const LONGEST_JOIN = 4; // times the timeout, while something comes from the server
const ON_ITS_WAY_MS = 500; // what a server sent before it stopped has arrived by then

/** What a page tells its client, for every connection. */
export interface Program {
  readonly functions: ReadonlyMap<string, PageFunction>;
  /** Somebody wants to know how loud the user is. */
  watchesLevel(): boolean;
}

interface Parts {
  pushToTalk: boolean;
  program: Program;
  transport: Transport;
  media: Media;
  playback: Playback;
  emit: Emit;
  onLost(reason: DisconnectReason, error: SpikeError): void;
}

/** One connection to a conversation: its handshake, its events, and the AI's tracks while it lasts. It is used once. */
export class Session implements PeerListener {
  wire!: Wire;
  private readonly abort = new AbortController();
  private readonly ready: Promise<void>;
  private becomeReady!: () => void;
  private refuse!: (error: SpikeError) => void;
  private isReady = false;
  private peer: Peer | null = null;
  private monitor: Monitor | null = null;
  private speaking: AISpeaking | null = null;
  private user: { track: MediaStreamTrack; meter: Meter } | null = null;
  private levels: ReturnType<typeof setInterval> | undefined;

  constructor(private readonly parts: Parts) {
    this.ready = new Promise((resolve, reject) => {
      this.becomeReady = resolve;
      this.refuse = reject;
    });
    this.ready.catch(() => undefined);
  }

  /** Connect, and return when the AI is ready. On an error everything is closed again. */
  async open(timeoutS: number): Promise<void> {
    const beganMs = performance.now();
    const tookS = () => (performance.now() - beganMs) / 1000;
    let timer: ReturnType<typeof setTimeout>;
    // A network that loses packets takes its time: as long as some get through, it has more.
    this.onNews = () => {
      clearTimeout(timer);
      const leftS = Math.min(timeoutS, LONGEST_JOIN * timeoutS - tookS());
      timer = setTimeout(() => this.refuse(connectionFailed(`no conversation within ${tookS().toFixed(1)} s`)), leftS * 1000);
    };
    this.onNews();
    try {
      await Promise.race([this.connect(), this.ready.then(() => new Promise<void>(() => {}))]);
    } catch (error) {
      this.close();
      throw error instanceof SpikeError ? error : connectionFailed(String(error));
    } finally {
      this.onNews = () => undefined;
      clearTimeout(timer!);
    }
  }

  private async connect(): Promise<void> {
    const { transport, media } = this.parts;
    this.wire = await transport.createWire();
    this.peer = await transport.connect(media, this, this.abort.signal);
    for (const text of this.wire.greeting()) this.peer.send(text);
    await this.ready;
    for (const kind of ['audio', 'video'] as const) {
      if (media.wants(kind) && !media.isEnabled(kind)) transport.trackEnabled(this.peer, kind, false);
    }
    this.tellSession();
    if (media.isTalking) this.talk(true);
    this.monitor = new Monitor(this.peer.pc, media, this.parts.emit, (error) => this.onClosed('network', error));
    this.levels = setInterval(() => this.tellLevel(), LEVEL_INTERVAL_MS);
  }

  close(error = connectionFailed('the connection was closed')): void {
    this.refuse(error);
    this.monitor?.close();
    clearInterval(this.levels);
    this.user?.meter.close();
    this.abort.abort();
    this.peer?.close();
    this.parts.playback.hold(false);
  }

  send(texts: string[]): void {
    for (const text of texts) this.peer?.send(text);
  }

  /** Silence the AI here, and ask the server to stop it. */
  interrupt(): void {
    this.send(this.wire.interrupt());
    if (this.speaking) this.parts.playback.hold(true);
  }

  /** The user has pressed the button to talk, or let go. */
  talk(pressed: boolean): void {
    this.send(this.wire.talk(pressed));
    this.handle([pressed ? 'user-started-speaking' : 'user-stopped-speaking']);
  }

  /** Tell the server what it must know of the page; with `changed`, because its functions have changed. */
  tellSession(changed = false): void {
    const declared = [...this.parts.program.functions.values()].filter((each) => each.declare);
    this.send(this.wire.session(declared.length || changed ? declared : null, this.parts.pushToTalk && !changed));
  }

  trackEnabled(kind: Kind, enabled: boolean): void {
    if (this.peer) this.parts.transport.trackEnabled(this.peer, kind, enabled);
  }

  get stats(): ClientStats {
    return this.monitor?.stats ?? NO_STATS;
  }

  // --- what the connection brings

  onNews = (): void => undefined;

  onTrack(track: MediaStreamTrack): void {
    if (this.abort.signal.aborted) return;
    if (track.kind === 'audio') this.parts.playback.attach(track);
    this.parts.emit('ai-track', track);
  }

  onMessage(text: string): void {
    for (const event of this.wire.receive(text)) {
      const isTurn = event[0] === 'user-started-speaking' || event[0] === 'user-stopped-speaking';
      if (!(isTurn && this.parts.pushToTalk)) this.handle(event);
    }
  }

  onClosed(reason: DisconnectReason, error: SpikeError): void {
    if (this.abort.signal.aborted) return;
    if (!this.isReady) return this.refuse(error);
    this.close(error);
    this.parts.onLost(reason, error);
  }

  private handle(event: Event): void {
    const { emit, playback } = this.parts;
    switch (event[0]) {
      case 'connected':
        if (this.isReady) return;
        this.isReady = true;
        this.becomeReady();
        break;
      case 'error':
        if (event[1].code !== 'CONVERSATION_ENDED') break;
        return this.onClosed('ended', event[1]);
      case 'ai-speaking':
        if (!this.speaking) playback.hold(false);
        this.speaking = { ...event[1], audioLevel: playback.level };
        return emit('ai-speaking', this.speaking);
      case 'ai-idle':
        this.speaking = null;
        playback.hold(event[1].interrupted, ON_ITS_WAY_MS);
        break;
      case 'ai-paused':
        playback.hold(event[1]);
        break;
      case 'user-started-speaking':
        // Do not talk over the user with what is still on its way.
        if (this.speaking) playback.hold(true);
        break;
      case 'user-stopped-speaking':
        playback.hold(false);
        break;
      case 'function-call':
        void this.carryOut(event[1]);
        break;
    }
    if (this.isReady) emit(...event);
  }

  private async carryOut(call: FunctionCall): Promise<void> {
    const known = this.parts.program.functions.get(call.name ?? '');
    if (!known || call.status !== 'in-progress') return;
    const carriedOut = import('./functions').then(({ outcomeOf }) => outcomeOf(known, call));
    const result = await carriedOut.catch((error: unknown) => ({ error: String(error) })); // its code did not come
    this.send(this.wire.functionResult(call, result));
  }

  private tellLevel(): void {
    this.tellUserLevel();
    if (!this.speaking) return;
    this.speaking = { ...this.speaking, audioLevel: this.parts.playback.level };
    this.parts.emit('ai-speaking', this.speaking);
  }

  private tellUserLevel(): void {
    if (!this.parts.program.watchesLevel()) return;
    const track = this.parts.media.track('audio');
    if (this.user?.track !== track) {
      this.user?.meter.close();
      this.user = track && { track, meter: new Meter(track) };
    }
    this.parts.emit('user-audio-level', { level: track?.enabled ? this.user!.meter.level : 0 });
  }
}
