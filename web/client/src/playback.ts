import { SpikeError } from './errors';
import { Meter, resumeMeters } from './meter';

/** Plays the AI's voice: one element, in the page from join to leave. */
export class Playback {
  private readonly element = document.createElement('audio');
  private meter: Meter | null = null;
  private held = false;
  private releasing: ReturnType<typeof setTimeout> | undefined;
  private output: string | null;

  constructor(
    output: string | null,
    volume: number,
    private readonly onBlocked: () => void,
  ) {
    this.output = output;
    this.volume = volume;
    this.element.autoplay = true;
    this.element.setAttribute('playsinline', '');
    this.element.dataset['spike'] = 'voice';
    // Safari starts an element that is not shown only when it is asked to, and not before it can play.
    this.element.addEventListener('canplay', () => this.play());
    document.body.append(this.element);
    this.mute();
  }

  attach(track: MediaStreamTrack): void {
    this.element.srcObject = new MediaStream([track]);
    this.meter?.close();
    this.meter = new Meter(track);
    this.play();
    if (this.output && this.output !== 'default') void this.setOutput(this.output).catch(() => undefined);
  }

  /** How loud the element plays, 0 to 1. */
  set volume(volume: number) {
    this.element.volume = volume;
  }

  /** 0 to 1, also of a voice that the page plays itself. */
  get level(): number {
    return this.held ? 0 : (this.meter?.level ?? 0);
  }

  /** Keep back what still arrives of the AI's voice, for `limitMs` or until it may be heard again. */
  hold(held: boolean, limitMs?: number): void {
    clearTimeout(this.releasing);
    if (held && limitMs) this.releasing = setTimeout(() => this.hold(false), limitMs);
    this.held = held;
    this.mute();
  }

  /** Play after the browser refused; call it from a click. Rejects where it still refuses. */
  async start(): Promise<void> {
    resumeMeters();
    await this.element.play();
  }

  async setOutput(output: string | null): Promise<void> {
    if (output !== null && (output !== 'default' || 'setSinkId' in this.element)) {
      if (!('setSinkId' in this.element)) {
        throw new SpikeError('DEVICE_NOT_FOUND', 'this browser plays on the loudspeaker that the system has chosen');
      }
      try {
        await this.element.setSinkId(output === 'default' ? '' : output);
      } catch (error) {
        const denied = (error as DOMException).name === 'NotAllowedError';
        throw denied
          ? new SpikeError('MEDIA_PERMISSION_DENIED', 'this page may not use the loudspeaker')
          : new SpikeError('DEVICE_NOT_FOUND', 'there is no such loudspeaker');
      }
    }
    this.output = output;
    this.mute();
  }

  close(): void {
    this.meter?.close();
    this.element.srcObject = null;
    this.element.remove();
  }

  private mute(): void {
    // A muted element still keeps the voice flowing: browsers measure no track that nothing plays.
    this.element.muted = this.held || this.output === null;
  }

  private play(): void {
    this.element.play().catch((error: unknown) => {
      if ((error as DOMException).name === 'NotAllowedError') this.onBlocked();
    });
  }
}
