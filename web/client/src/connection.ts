import { SpikeError } from './errors';
import type { DisconnectReason, Emit } from './events';
import { Media, type Kind } from './media';
import type { Options } from './options';
import { Playback } from './playback';
import { Session } from './session';
import { NO_STATS, type ClientStats } from './stats';
import type { Transport } from './transports';
import { tokenExpiry } from './wire';

const FIRST_DELAY_S = 0.5;
const LONGEST_DELAY_S = 8;
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
    private readonly emit: Emit,
    private readonly onOver: () => void,
  ) {
    this.options = transport.carriesVideo ? options : { ...options, video: false };
    this.media = new Media(this.options, enabled, emit);
    this.playback = new Playback(options.audioOutput, () => emit('playback-blocked'));
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
    const { transport, media, playback } = this;
    const emit: Emit = (...event) => {
      if (event[0] === 'stats') event[1].reconnections = this.reconnections;
      this.emit(...event);
    };
    const session = new Session({ transport, media, playback, emit, onLost: (...why) => this.onLost(...why) });
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
    const giveUpAtMs = performance.now() + RECONNECT_LIMIT_S * 1000;
    await Promise.resolve(); // `recovery` is set by now: a handler may call reconnect()
    this.emit('error', error);
    if (!this.over) this.emit('disconnected', 'network', { willReconnect: true });
    for (let attempt = 1; ; attempt++) {
      // Some chance in it: a server that restarts has many clients.
      const delayS = attempt === 1 ? 0 : Math.min(FIRST_DELAY_S * 2 ** (attempt - 2), LONGEST_DELAY_S) * (0.8 + 0.4 * Math.random());
      if (this.over) throw left();
      this.emit('reconnecting', { attempt, delayS });
      await this.pause(delayS);
      try {
        await this.openSession();
        this.reconnections++;
        return;
      } catch (failure) {
        if (this.over) throw left();
        if ((failure as SpikeError).canRetry && performance.now() + delayS * 1000 < giveUpAtMs) continue;
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
  if (expiryS !== null && expiryS <= nowS) {
    throw new SpikeError('TOKEN_EXPIRED', `the token expired ${Math.round(nowS - expiryS)} s ago: fetch a new one`);
  }
}

