import { SpikeError } from './errors';
import type { DisconnectReason, Emit } from './events';
import { Media, type Kind } from './media';
import type { Options } from './options';
import { Playback } from './playback';
import { Session, type Program } from './session';
import { NO_STATS, type ClientStats } from './stats';
import type { Transport } from './transports';
import { tokenExpiry } from './wire';

const FIRST_DELAY_S = 0.5;
const LONGEST_DELAY_S = 8;
const SOON_S = 15; // most cuts are over by then, and somebody waits
const SOON_DELAY_S = 1;
// What clocks may differ by. A token that has expired for less may be alive by the server's clock: the server decides.
const CLOCK_SKEW_S = 300;
const RECONNECT_LIMIT_S = 60; // a server keeps a conversation that nobody is connected to for about as long

/** One conversation from join to its end: connected, and connected again when the network broke. It is used once. */
export class Connection {
  readonly media: Media;
  readonly playback: Playback;
  session: Session | null = null;
  private reconnections = 0;
  private over = false;
  private recovery: Promise<void> | null = null;
  private hurry: (() => void) | null = null;

  constructor(
    private readonly options: Options,
    private readonly transport: Transport,
    enabled: Record<Kind, boolean>,
    volume: number,
    private readonly program: Program,
    private readonly emit: Emit,
    private readonly onOver: () => void,
  ) {
    this.options = transport.carriesVideo ? options : { ...options, video: false };
    this.media = new Media(this.options, enabled, emit);
    this.playback = new Playback(options.audioOutput, volume, () => emit('playback-blocked'));
    addEventListener('online', this.onOnline);
  }

  /** Open the devices, connect, and return when the AI is ready; a failure is told and thrown. */
  async open(): Promise<void> {
    try {
      checkToken(this.options.token, Date.now() / 1000);
      await this.media.open();
      await this.openSession();
    } catch (error) {
      if (this.over) throw left();
      this.end('error', error as SpikeError);
      throw error;
    }
  }

  /** Replace the connection, or hasten the reconnection that is under way; returns when the AI is ready. */
  async reconnect(): Promise<void> {
    if (this.recovery) this.hurry?.();
    else this.recover(this.replace());
    await this.recovery;
  }

  leave(): void {
    this.end('left');
  }

  get stats(): ClientStats {
    return { ...(this.session?.stats ?? NO_STATS), reconnections: this.reconnections };
  }

  private async openSession(): Promise<void> {
    if (this.over) throw left();
    const { transport, media, playback, program } = this;
    const pushToTalk = this.options.turnDetection === 'push-to-talk';
    const emit: Emit = (...event) => {
      if (event[0] === 'stats') event[1].reconnections = this.reconnections;
      this.emit(...event);
    };
    const session = new Session({ pushToTalk, program, transport, media, playback, emit, onLost: (...why) => this.onLost(...why) });
    this.session = session;
    try {
      await session.open(this.options.joinTimeoutS);
    } catch (error) {
      this.session = null;
      throw error;
    }
  }

  private onLost(reason: DisconnectReason, error: SpikeError): void {
    this.session = null;
    if (reason !== 'network' || !this.options.autoReconnect) return this.end(reason, error);
    this.recover(this.comeBack(error));
  }

  private recover(work: Promise<void>): void {
    this.recovery = work.finally(() => (this.recovery = null));
    this.recovery.catch(() => undefined); // has been told
  }

  /** Connect again and again, later and later, until it works, cannot work, or has taken too long. */
  private async comeBack(error: SpikeError): Promise<void> {
    const beganMs = performance.now();
    const sinceS = (ms: number) => (performance.now() - ms) / 1000;
    let [nextS, tookS] = [0, 0];
    await Promise.resolve(); // `recovery` is set by now: a handler may call reconnect()
    this.emit('error', error);
    if (!this.over) this.emit('disconnected', 'network', { willReconnect: true });
    for (let attempt = 1; ; attempt++) {
      // Some chance in it: a server that restarts has many clients. An attempt that nobody answered has been a delay already.
      const delayS = Math.max(0, nextS * (0.8 + 0.4 * Math.random()) - tookS);
      nextS = Math.min(2 * nextS || FIRST_DELAY_S, sinceS(beganMs) < SOON_S ? SOON_DELAY_S : LONGEST_DELAY_S);
      if (this.over) throw left();
      this.emit('reconnecting', { attempt, delayS });
      await this.pause(delayS);
      const triedMs = performance.now();
      try {
        await this.openSession();
        this.reconnections++;
        return;
      } catch (failure) {
        if (this.over) throw left();
        tookS = sinceS(triedMs);
        if ((failure as SpikeError).canRetry && sinceS(beganMs) + delayS < RECONNECT_LIMIT_S) continue;
        this.end('error', failure as SpikeError);
        throw failure;
      }
    }
  }

  private async replace(): Promise<void> {
    this.session?.close();
    this.session = null;
    await Promise.resolve();
    this.emit('reconnecting', { attempt: 1, delayS: 0 });
    try {
      await this.openSession();
      this.reconnections++;
    } catch (error) {
      if (this.over) throw left();
      this.end('error', error as SpikeError);
      throw error;
    }
  }

  /** Wait, unless the program asks for it now or the network is back. */
  private pause(delayS: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, delayS * 1000);
      this.hurry = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  private readonly onOnline = () => this.hurry?.();

  /** Close everything and say so, once. */
  private end(reason: DisconnectReason, error?: SpikeError): void {
    if (this.over) return;
    this.over = true;
    removeEventListener('online', this.onOnline);
    this.hurry?.();
    this.session?.close(left());
    this.session = null;
    this.media.close();
    this.playback.close();
    this.onOver();
    if (error) this.emit('error', error);
    this.emit('disconnected', reason, { willReconnect: false });
  }
}

const left = () => new SpikeError('INVALID_STATE', 'leave() was called before the conversation was joined');

/** Spare the server a token that says itself that it has expired. */
function checkToken(token: string, nowS: number): void {
  const expiryS = tokenExpiry(token);
  if (expiryS !== null && expiryS <= nowS - CLOCK_SKEW_S) {
    throw new SpikeError('TOKEN_EXPIRED', `by this machine's clock the token expired ${Math.round(nowS - expiryS)} s ago: fetch a new one`);
  }
}

