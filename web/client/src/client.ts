import { Connection } from './connection';
import { Emitter } from './emitter';
import { SpikeError } from './errors';
import type { Devices, Event, EventMap, EventName, FunctionCall } from './events';
import { listDevices, type Kind } from './media';
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
export class SpikeClient extends Emitter {
  private settings: Options;
  private current: ConversationState;
  private readonly observers = new Set<() => void>();
  private connection: Connection | null = null;
  private transport: Transport | null = null;

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

  /** Call `observer` after each change of `state`; returns what ends it. */
  observe(observer: () => void): () => void {
    this.observers.add(observer);
    return () => this.observers.delete(observer);
  }

  private emit(event: Event): void {
    this.set(after(this.current, event));
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

  /** Send a message to the server's application; its answer is a `message` event with this id in `replyTo`. */
  sendMessage(type: string, data: unknown = null): string {
    const session = this.session();
    const [id, texts] = session.wire.message(type, data);
    session.send(texts);
    return id;
  }

  /** Type instead of talking. `respond: false` only lets the AI know, `speak: false` leaves the answer text. */
  sendText(content: string, { respond = true, speak = true } = {}): void {
    const session = this.session();
    session.send(session.wire.text(content, { respond, speak }));
  }

  /** Silence the AI now, and ask the server to stop it. */
  interrupt(): void {
    this.session().interrupt();
  }

  /** Give the AI what a function that this page carries out has returned. */
  sendFunctionResult(call: FunctionCall, result: unknown): void {
    const session = this.session();
    session.send(session.wire.functionResult(call, result));
  }

  private session(): Session {
    const session = this.connection?.session;
    if (!session || !this.current.isConnected) {
      throw new SpikeError('INVALID_STATE', `messages need a connection; this client is ${this.current.status}`);
    }
    return session;
  }

  // --- media

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
