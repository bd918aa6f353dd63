import { Connection } from './connection';
import { SpikeError } from './errors';
import type { Devices, Event, EventMap, EventName } from './events';
import { History, type Turn } from './history';
import { listDevices, type Kind } from './media';
import { Messages } from './messages';
import { checkedOptions, type ClientOptions, type Options } from './options';
import type { Session } from './session';
import { INITIAL_STATE, after, type ConversationState } from './state';
import { NO_STATS, type ClientStats } from './stats';
import { createTransport, type Transport } from './transports';

/**
 * A conversation with an AI over WebRTC.
 *
 * It plays the AI's voice itself; its picture is `getAIVideoTrack()`. After `leave()` it can join again.
 */
export class SpikeClient extends Messages {
  private settings: Options;
  private current: ConversationState;
  private readonly observers = new Set<() => void>();
  private connection: Connection | null = null;
  private transport: Transport | null = null;
  private past = new History();
  private joinedAtMs = 0;
  private loudness = 1;

  /** Throws `INVALID_OPTION`, with what is accepted. */
  constructor(options: ClientOptions) {
    super();
    this.settings = checkedOptions(options);
    this.current = { ...INITIAL_STATE, audioEnabled: this.settings.audio, videoEnabled: this.settings.video };
    const { onConnected, onDisconnected, onError } = this.settings;
    if (onConnected) this.on('connected', onConnected);
    if (onDisconnected) this.on('disconnected', onDisconnected);
    if (onError) this.on('error', onError);
  }

  get options(): Readonly<Options> {
    return this.settings;
  }

  // --- the connection

  /**
   * Connect and return when the AI is ready. What goes wrong is thrown, and delivered to `error` handlers too.
   *
   * A microphone or camera that cannot be opened is an `error` event only: the conversation goes on without it.
   */
  async join(): Promise<void> {
    if (this.current.status !== 'disconnected') {
      throw new SpikeError('INVALID_STATE', `join() needs a client that is disconnected; this one is ${this.current.status}`);
    }
    this.transport = createTransport(this.settings);
    this.past = new History();
    this.joinedAtMs = performance.now();
    await this.connect(this.transport);
  }

  /** Leave and free everything; `disconnected` follows with reason `left`. Without a conversation nothing happens. */
  async leave(): Promise<void> {
    this.connection?.leave();
  }

  /**
   * Connect again to the same conversation, after `disconnected` or to replace a bad connection. Where the client is
   * reconnecting by itself, it tries at once, and this waits for the outcome.
   */
  async reconnect(): Promise<void> {
    if (!this.transport || this.current.status === 'connecting') {
      throw new SpikeError('INVALID_STATE', 'reconnect() needs a client that has joined before and is not joining now');
    }
    if (this.connection) await this.connection.reconnect();
    else await this.connect(this.transport);
  }

  private async connect(transport: Transport): Promise<void> {
    this.set({ status: 'connecting', error: null });
    const enabled = { audio: this.current.audioEnabled, video: this.current.videoEnabled };
    this.connection = new Connection(
      this.settings,
      transport,
      enabled,
      this.loudness,
      { functions: this.functions, watchesLevel: () => this.isHeard('user-audio-level') },
      (...event) => this.emit(event),
      () => {
        this.connection = null;
        navigator.mediaDevices?.removeEventListener('devicechange', this.onDevices);
      },
    );
    navigator.mediaDevices?.addEventListener('devicechange', this.onDevices);
    await this.connection.open();
  }

  // --- state

  /** Everything a user interface shows, as it is now. */
  get state(): ConversationState {
    return this.current;
  }

  /** Who has said what since the last `join()`, with the time of each word and what was heard of it. */
  get history(): readonly Turn[] {
    return this.past.turns;
  }

  /** Call `observer` after each change of `state`; returns what ends it. */
  observe(observer: () => void): () => void {
    this.observers.add(observer);
    return () => this.observers.delete(observer);
  }

  private emit(event: Event): void {
    this.set(after(this.current, event));
    this.past.add(event, (performance.now() - this.joinedAtMs) / 1000, Boolean(this.connection?.session?.wire?.wordsRunAhead));
    const [name, ...args] = event;
    this.deliver(name, args as EventMap[EventName]);
  }

  private set(change: Partial<ConversationState>): void {
    const state = change === this.current ? this.current : { ...this.current, ...change };
    if (state === this.current) return;
    this.current = state;
    for (const observer of [...this.observers]) observer();
  }

  // --- messages

  protected session(): Session {
    const session = this.connection?.session;
    if (!session || !this.current.isConnected) {
      throw new SpikeError('INVALID_STATE', `messages need a connection; this client is ${this.current.status}`);
    }
    return session;
  }

  protected functionsChanged(): void {
    if (this.current.isConnected) this.session().tellSession(true);
  }

  /**
   * With `turnDetection: 'push-to-talk'`: the button is down. The AI falls silent, the microphone is sent. An RTVI bot
   * hears a client message `push-to-talk` with `{ pressed: true }`.
   */
  startTalking(): void {
    this.talk(true);
  }

  /** The button is up: the microphone is silent, and the AI answers. */
  stopTalking(): void {
    this.talk(false);
  }

  private talk(pressed: boolean): void {
    const { connection } = this;
    if (this.settings.turnDetection !== 'push-to-talk') {
      throw new SpikeError('INVALID_STATE', 'talking by a button needs turnDetection: "push-to-talk"');
    }
    if (!connection || this.current.status === 'connecting') {
      throw new SpikeError('INVALID_STATE', `talking needs a conversation; this client is ${this.current.status}`);
    }
    if (connection.media.isTalking === pressed) return;
    connection.media.press(pressed);
    if (this.current.isConnected) connection.session?.talk(pressed);
  }

  // --- media

  /** How loud the AI is played, 0 to 1; `audioLevel` does not change with it. iOS leaves that to its own buttons. */
  get volume(): number {
    return this.loudness;
  }

  set volume(volume: number) {
    if (!(typeof volume === 'number' && volume >= 0 && volume <= 1)) {
      throw new SpikeError('INVALID_OPTION', `volume must be a number from 0 to 1, not ${volume}`);
    }
    this.loudness = volume;
    if (this.connection) this.connection.playback.volume = volume;
  }

  /** Mute (false) or unmute (true) the microphone, now or for the next join. */
  setAudioEnabled(enabled: boolean): void {
    this.set({ audioEnabled: enabled });
    this.setEnabled('audio', enabled);
  }

  /** Switch the camera off or on, now or for the next join. */
  setVideoEnabled(enabled: boolean): void {
    this.set({ videoEnabled: enabled });
    this.setEnabled('video', enabled);
  }

  private setEnabled(kind: Kind, enabled: boolean): void {
    this.connection?.media.setEnabled(kind, enabled);
    this.connection?.session?.trackEnabled(kind, enabled);
  }

  /** Capture from another microphone, now or from the next join on. Where it cannot be opened, the one before stays. */
  async setAudioDevice(deviceId: string): Promise<void> {
    const settings = checkedOptions({ ...this.settings, audioSource: deviceId });
    await this.connection?.media.setSource('audio', deviceId);
    this.settings = settings;
  }

  /** Send another camera's pictures, now or from the next join on. Where it cannot be opened, the one before stays. */
  async setVideoDevice(deviceId: string): Promise<void> {
    const settings = checkedOptions({ ...this.settings, videoSource: deviceId });
    await this.connection?.media.setSource('video', deviceId);
    this.settings = settings;
  }

  /** Play the AI's voice on another loudspeaker, now or from the next join on; null leaves it to the page. */
  async setOutputDevice(deviceId: string | null): Promise<void> {
    const settings = checkedOptions({ ...this.settings, audioOutput: deviceId });
    await this.connection?.playback.setOutput(deviceId);
    this.settings = settings;
  }

  /** Play the AI's voice after `playback-blocked`: call it from a click. */
  async startPlayback(): Promise<void> {
    await this.connection?.playback.start();
    this.set({ isPlaybackBlocked: false });
  }

  /** The microphones, cameras and loudspeakers of this machine. */
  getDevices(): Promise<Devices> {
    return listDevices();
  }

  /** The AI's voice, or null while there is none. It is played already, unless `audioOutput` is null. */
  getAIAudioTrack(): MediaStreamTrack | null {
    return this.current.aiAudioTrack;
  }

  /** The AI's picture, or null while there is none. */
  getAIVideoTrack(): MediaStreamTrack | null {
    return this.current.aiVideoTrack;
  }

  /** The conversation in figures, zeros while there is none. */
  async getStats(): Promise<ClientStats> {
    return this.connection?.stats ?? NO_STATS;
  }

  private readonly onDevices = () => {
    void listDevices().then((devices) => this.emit(['devices-changed', devices]));
  };
}
