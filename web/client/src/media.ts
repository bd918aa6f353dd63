import { SpikeError, mediaError } from './errors';
import type { Device, Devices, Emit } from './events';
import { QUALITIES, type Options } from './options';

const SCREEN = 'screen';

export type Kind = 'audio' | 'video';

/** The microphone and the camera: opens them, switches them, and hands their tracks to the connection of the time. */
export class Media {
  /** Sends another track of a kind, or none, from now on; the connection that is open sets it. */
  onTrack: ((kind: Kind, track: MediaStreamTrack | null) => Promise<void>) | null = null;

  private readonly tracks: Partial<Record<Kind, MediaStreamTrack>> = {};
  /** Whether the button to talk is down; null where there is none. */
  private button: boolean | null;
  private readonly wanted: Kind[];
  private readonly sources: Record<Kind, string>;
  private working: Promise<unknown> = Promise.resolve();
  private closed = false;

  constructor(
    private readonly options: Options,
    private readonly enabled: Record<Kind, boolean>,
    private readonly emit: Emit,
  ) {
    this.wanted = (['audio', 'video'] as const).filter((kind) => options[kind]);
    this.button = options.turnDetection === 'push-to-talk' ? false : null;
    this.sources = { audio: options.audioSource, video: options.videoSource };
  }

  wants(kind: Kind): boolean {
    return this.wanted.includes(kind);
  }

  isEnabled(kind: Kind): boolean {
    return this.enabled[kind];
  }

  track(kind: Kind): MediaStreamTrack | null {
    return this.tracks[kind] ?? null;
  }

  /** Whether the user talks by a button, and has it down. */
  get isTalking(): boolean {
    return this.button === true;
  }

  /** The button to talk is down or up. */
  press(down: boolean): void {
    this.button = down;
    if (this.tracks.audio) this.tracks.audio.enabled = this.flows('audio');
  }

  /** Open what is wanted and not muted, with one question to the user. What cannot be opened is told and left out. */
  open(): Promise<void> {
    return this.queue(() => this.openAll());
  }

  private async openAll(): Promise<void> {
    const kinds = this.wanted.filter((kind) => this.enabled[kind]);
    if (kinds.length === 2 && this.sources.video !== SCREEN) {
      try {
        const stream = await capture({ audio: this.constraints('audio'), video: this.constraints('video') });
        for (const track of stream.getTracks()) await this.use(track.kind as Kind, track);
        return;
      } catch {
        // One of the two: each alone tells which, and the conversation goes on with the other.
      }
    }
    for (const kind of kinds) {
      await this.acquire(kind, this.sources[kind]).catch((error: SpikeError) => this.emit('error', error));
    }
  }

  /**
   * Muting keeps the microphone open, so that it is back at once; a camera is released, so that its light goes out. What
   * is not open is opened.
   */
  setEnabled(kind: Kind, enabled: boolean): void {
    this.enabled[kind] = enabled;
    if (kind === 'audio' && this.tracks.audio) this.tracks.audio.enabled = this.flows(kind);
    void this.queue(async () => {
      if (!this.wants(kind) || this.closed || this.enabled[kind] === Boolean(this.tracks[kind])) return;
      if (this.enabled[kind]) await this.acquire(kind, this.sources[kind]);
      else if (kind === 'video') await this.use(kind, null);
    }).catch((error: SpikeError) => this.emit('error', error));
  }

  /** Capture from another device; where that fails, the one before stays in use. */
  setSource(kind: Kind, source: string): Promise<void> {
    return this.queue(async () => {
      if (this.wants(kind) && (this.tracks[kind] || this.enabled[kind])) await this.acquire(kind, source);
      this.sources[kind] = source;
    });
  }

  close(): void {
    this.closed = true;
    this.onTrack = null;
    for (const track of Object.values(this.tracks)) stop(track);
  }

  private flows(kind: Kind): boolean {
    return this.enabled[kind] && (kind === 'video' || this.button !== false);
  }

  private constraints(kind: Kind, source = this.sources[kind]): MediaTrackConstraints {
    const device = ['default', SCREEN].includes(source) ? {} : { deviceId: { exact: source } };
    if (kind === 'audio') {
      const { echoCancellation, noiseSuppression, autoGainControl } = this.options;
      return { ...device, echoCancellation, noiseSuppression, autoGainControl };
    }
    const { width, height, fps } = QUALITIES[this.options.videoQuality];
    return { ...device, width: { ideal: width }, height: { ideal: height }, frameRate: { ideal: fps } };
  }

  private async acquire(kind: Kind, source: string): Promise<void> {
    try {
      await this.use(kind, await this.captured(kind, source));
    } catch (error) {
      const before = this.tracks[kind];
      if (kind === 'audio' || !before || (error as SpikeError).code !== 'DEVICE_IN_USE') throw error;
      // Phones open one camera at a time: close the one before, and open it again where the new one fails all the same.
      stop(before);
      const now = await this.captured(kind, source).catch(() => null);
      await this.use(kind, now ?? (await this.captured(kind, this.sources[kind])));
      if (!now) throw error;
    }
  }

  private async captured(kind: Kind, source: string): Promise<MediaStreamTrack | null> {
    try {
      const constraints = { [kind]: this.constraints(kind, source) };
      return (await capture(constraints, kind === 'video' && source === SCREEN)).getTracks()[0] ?? null;
    } catch (error) {
      throw mediaError(kind, error);
    }
  }

  private async use(kind: Kind, track: MediaStreamTrack | null): Promise<void> {
    if (this.closed) return stop(track);
    const before = this.tracks[kind];
    if (track) {
      this.tracks[kind] = track;
      track.enabled = this.flows(kind);
      track.addEventListener('ended', () => {
        if (this.tracks[kind] === track) {
          delete this.tracks[kind];
          this.emit('local-track', kind, null);
          if (kind === 'video' && this.sources.video === SCREEN) return; // the user's own wish
          const device = kind === 'audio' ? 'microphone' : 'camera';
          this.emit('error', new SpikeError('DEVICE_NOT_FOUND', `the ${device} was taken away`));
        }
      });
    } else delete this.tracks[kind];
    await this.onTrack?.(kind, track);
    stop(before);
    this.emit('local-track', kind, track);
  }

  private queue<T>(work: () => Promise<T>): Promise<T> {
    const result = this.working.then(work);
    this.working = result.catch(() => undefined);
    return result;
  }
}

async function capture(constraints: MediaStreamConstraints, screen = false): Promise<MediaStream> {
  const devices = navigator.mediaDevices;
  if (!devices) throw new DOMException('no mediaDevices', 'InsecureContextError');
  return screen ? devices.getDisplayMedia(constraints) : devices.getUserMedia(constraints);
}

/** Stopping a track does not make it say that it ended. */
function stop(track: MediaStreamTrack | null | undefined): void {
  track?.stop();
}

/** What is plugged in. */
export async function listDevices(): Promise<Devices> {
  const all = navigator.mediaDevices ? await navigator.mediaDevices.enumerateDevices() : [];
  const of = (kind: MediaDeviceKind): Device[] => {
    const found = all.filter((device) => device.kind === kind && device.deviceId);
    // Chromium lists the system's choices a second time, under these names.
    const real = found.filter((device) => !['default', 'communications'].includes(device.deviceId));
    const chosen = found.find((device) => device.deviceId === 'default');
    const isChosen = (device: MediaDeviceInfo) => device.groupId === chosen?.groupId && chosen.label.includes(device.label);
    const byDefault = Math.max(0, real.findIndex(isChosen));
    return real.map(({ deviceId: id, label: name }, index) => ({ id, name, isDefault: index === byDefault }));
  };
  return { audio: of('audioinput'), video: of('videoinput'), audioOutput: of('audiooutput') };
}
