import { connectionFailed, type SpikeError } from './errors';
import type { Emit, NetworkQuality } from './events';
import type { Media } from './media';
import { NO_STATS, captureMsOf, sampleOf, statsSince, type ClientStats, type Sample } from './stats';

const INTERVAL_MS = 500;
const SILENCE_LIMIT_MS = 3000; // a living server sends reports at least every 1.5 s; browsers take 15 s to give up
const FAIR = { loss: 0.02, roundTripTimeMs: 200 };
const POOR = { loss: 0.08, roundTripTimeMs: 500 };

/** Watches a connection: its figures once a second, how good it is, and whether the server is still there. */
export class Monitor {
  private readonly timer: ReturnType<typeof setInterval>;
  private before: Sample | null = null;
  private latest: ClientStats = NO_STATS;
  private quality: NetworkQuality['level'] | null = null;
  private seen: NetworkQuality['level'] | null = null;
  private bytes = -1;
  private heardAtMs = performance.now();
  private calledAtMs = performance.now();
  private odd = false;
  private closed = false;

  constructor(
    private readonly pc: RTCPeerConnection,
    private readonly media: Media,
    private readonly emit: Emit,
    private readonly onSilent: (error: SpikeError) => void,
  ) {
    this.timer = setInterval(() => void this.look(), INTERVAL_MS);
  }

  get stats(): ClientStats {
    return this.latest;
  }

  close(): void {
    this.closed = true;
    clearInterval(this.timer);
  }

  private async look(): Promise<void> {
    const nowMs = performance.now();
    // While this page was held up, as a sleeping computer does, nothing could be heard.
    this.heardAtMs += Math.max(0, nowMs - this.calledAtMs - 2 * INTERVAL_MS);
    this.calledAtMs = nowMs;
    const report = await this.pc.getStats().catch(() => null); // of a connection that was closed meanwhile
    if (this.closed || !report) return;
    const sample = sampleOf(report, nowMs);
    if (sample.stats.network.bytesReceived !== this.bytes) {
      this.bytes = sample.stats.network.bytesReceived;
      this.heardAtMs = nowMs;
    } else if (nowMs - this.heardAtMs > SILENCE_LIMIT_MS) {
      this.close();
      this.onSilent(connectionFailed(`the server was silent for ${SILENCE_LIMIT_MS / 1000} s`));
      return;
    }
    this.odd = !this.odd;
    if (this.odd) this.tell(sample);
  }

  private tell(sample: Sample): void {
    const microphone = this.media.track('audio');
    this.latest = statsSince(this.before, sample, microphone && captureMsOf(microphone));
    this.before = sample;
    this.emit('stats', this.latest);
    const loss = Math.max(this.latest.network.outboundLoss, this.latest.inboundLoss);
    const { roundTripTimeMs } = this.latest.network;
    if (roundTripTimeMs === null && !loss) return; // nothing has been reported yet
    const level = qualityOf(loss, roundTripTimeMs);
    // A level that was seen twice, so that one bad second does not make a page blink.
    if (level === this.seen && level !== this.quality) {
      this.quality = level;
      this.emit('network-quality', { level, roundTripTimeMs, loss });
    }
    this.seen = level;
  }
}

/** How a person would find a connection with these figures; the specification recommends less than 200 ms. */
export function qualityOf(loss: number, roundTripTimeMs: number | null): NetworkQuality['level'] {
  const exceeds = (limit: typeof FAIR) => loss >= limit.loss || (roundTripTimeMs ?? 0) >= limit.roundTripTimeMs;
  return exceeds(POOR) ? 'poor' : exceeds(FAIR) ? 'fair' : 'good';
}
