let shared: AudioContext | undefined;

/** One context for the whole page: browsers allow only a few. */
function context(): AudioContext {
  shared ??= new AudioContext();
  return shared;
}

/** Let meters run after a click, where the browser waits for one. */
export function resumeMeters(): void {
  void shared?.resume().catch(() => undefined);
}

/** How loud a track is now. Silent until the browser lets sound play. */
export class Meter {
  private readonly source: MediaStreamAudioSourceNode;
  private readonly analyser: AnalyserNode;
  private readonly samples: Float32Array<ArrayBuffer>;
  private readonly spectrum: Uint8Array<ArrayBuffer>;

  constructor(track: MediaStreamTrack) {
    const audio = context();
    void audio.resume().catch(() => undefined);
    this.source = audio.createMediaStreamSource(new MediaStream([track]));
    this.analyser = audio.createAnalyser();
    this.analyser.fftSize = 1024;
    this.analyser.smoothingTimeConstant = 0.6;
    this.samples = new Float32Array(this.analyser.fftSize);
    this.spectrum = new Uint8Array(this.analyser.frequencyBinCount);
    this.source.connect(this.analyser);
  }

  /** RMS of the last 20 ms, 0 (silence) to 1 (full scale). */
  get level(): number {
    this.analyser.getFloatTimeDomainData(this.samples);
    return Math.sqrt(this.samples.reduce((sum, x) => sum + x * x, 0) / this.samples.length);
  }

  /** `count` bands of the range of speech, 100 Hz to 6 kHz, each 0 to 1. */
  bands(count: number): number[] {
    this.analyser.getByteFrequencyData(this.spectrum);
    const binHz = this.analyser.context.sampleRate / this.analyser.fftSize;
    const edge = (band: number) => Math.round((100 * 60 ** (band / count)) / binHz);
    return Array.from({ length: count }, (_, band) => {
      const bins = this.spectrum.subarray(edge(band), Math.max(edge(band) + 1, edge(band + 1)));
      return bins.reduce((sum, x) => sum + x, 0) / bins.length / 255;
    });
  }

  close(): void {
    this.source.disconnect();
  }
}
