/** The connection in figures; counts are since it opened. */
export interface TransportStats {
  packetsReceived: number;
  packetsLost: number;
  packetsSent: number;
  bytesReceived: number;
  bytesSent: number;
  /** To the server and back, as RTCP or ICE measure it; null before the first report. */
  roundTripTimeMs: number | null;
  /** How unevenly the AI's voice arrives (RFC 3550 section 6.4.1). */
  jitterMs: number | null;
  /** Share of our packets that the server missed since its last report, 0 to 1. */
  outboundLoss: number;
  /** How we reach the server: `host`, `srflx`, `prflx` or `relay`. */
  path: string | null;
}

/** A conversation in figures: what `getStats()` returns and `stats` delivers. Rates are of the last second. */
export interface ClientStats {
  network: TransportStats;
  sendBps: number;
  receiveBps: number;
  /** Share of the server's packets that did not arrive, 0 to 1. */
  inboundLoss: number;
  /** Share of the AI's voice that the browser had to make up, because it came too late or not at all, 0 to 1. */
  concealed: number;
  /** How long the AI's voice waits here to be played evenly. */
  jitterBufferMs: number | null;
  sentFps: number;
  receivedFps: number;
  /** Of the pictures that are sent; 0 without a camera. */
  videoWidth: number;
  videoHeight: number;
  reconnections: number;
  /**
   * From the user's mouth to the server: the microphone as far as the browser tells, a packet's 20 ms, the encoder and
   * half of the round trip. What the server keeps is not in it: browsers do not read that. Null before the first report.
   */
  userToAiMs: number | null;
  /** From the AI's mouth to the user's ear: the encoder, half of the round trip, the receiver, and the loudspeaker as far as the browser tells. */
  aiToUserMs: number | null;
}

export const NO_STATS: ClientStats = {
  network: {
    packetsReceived: 0,
    packetsLost: 0,
    packetsSent: 0,
    bytesReceived: 0,
    bytesSent: 0,
    roundTripTimeMs: null,
    jitterMs: null,
    outboundLoss: 0,
    path: null,
  },
  sendBps: 0,
  receiveBps: 0,
  inboundLoss: 0,
  concealed: 0,
  jitterBufferMs: null,
  sentFps: 0,
  receivedFps: 0,
  videoWidth: 0,
  videoHeight: 0,
  reconnections: 0,
  userToAiMs: null,
  aiToUserMs: null,
};

const PACKET_MS = 20;
const ENCODER_MS = 6.5; // Opus looks so far ahead (RFC 6716 section 2)

/** The fields that are read here, of every kind of entry (Identifiers for WebRTC's Statistics API). */
interface Entry {
  type: string;
  id: string;
  kind?: string;
  state?: string;
  selected?: boolean;
  nominated?: boolean;
  localCandidateId?: string;
  selectedCandidatePairId?: string;
  candidateType?: string;
  [figure: string]: unknown;
}

/** Counters at one moment. */
export interface Sample {
  timeMs: number;
  stats: ClientStats;
  concealedSamples: number;
  samples: number;
  bufferedS: number;
  emitted: number;
  playoutS: number;
  played: number;
}

export function sampleOf(report: RTCStatsReport, timeMs: number): Sample {
  const entries = [...report.values()] as Entry[];
  const transport = entries.find((entry) => entry.type === 'transport');
  const pair =
    entries.find((entry) => entry.id === transport?.selectedCandidatePairId) ??
    entries.find((entry) => entry.type === 'candidate-pair' && (entry.selected ?? entry.nominated) && entry.state === 'succeeded');
  const path = entries.find((entry) => entry.id === pair?.localCandidateId)?.candidateType ?? null;
  const of = (type: string, kind?: string) => entries.filter((entry) => entry.type === type && (!kind || entry.kind === kind));
  const sum = (list: Entry[], figure: string) => list.reduce((total, entry) => total + number(entry[figure]), 0);
  const inbound = of('inbound-rtp');
  const outbound = of('outbound-rtp');
  const playout = of('media-playout');
  const reports = of('remote-inbound-rtp');
  const voice = inbound.find((entry) => entry.kind === 'audio');
  const roundTripsS = [...reports.map((entry) => entry['roundTripTime']), pair?.['currentRoundTripTime']].filter(isNumber);
  const picture = outbound.filter((entry) => entry.kind === 'video');
  return {
    timeMs,
    concealedSamples: number(voice?.['concealedSamples']) - number(voice?.['silentConcealedSamples']),
    samples: number(voice?.['totalSamplesReceived']),
    bufferedS: number(voice?.['jitterBufferDelay']),
    emitted: number(voice?.['jitterBufferEmittedCount']),
    playoutS: sum(playout, 'totalPlayoutDelay'),
    played: sum(playout, 'totalSamplesCount'),
    stats: {
      ...NO_STATS,
      network: {
        packetsReceived: sum(inbound, 'packetsReceived'),
        packetsLost: sum(inbound, 'packetsLost'),
        packetsSent: sum(outbound, 'packetsSent'),
        // What the pair has carried says more than the streams: reports and messages are signs of life too.
        bytesReceived: number(pair?.['bytesReceived']) || sum(inbound, 'bytesReceived'),
        bytesSent: number(pair?.['bytesSent']) || sum(outbound, 'bytesSent'),
        roundTripTimeMs: roundTripsS.length ? roundTripsS[0]! * 1000 : null,
        jitterMs: voice ? number(voice['jitter']) * 1000 : null,
        outboundLoss: Math.max(0, ...reports.map((entry) => number(entry['fractionLost']))),
        path,
      },
      sentFps: sum(picture, 'framesPerSecond'),
      receivedFps: sum(of('inbound-rtp', 'video'), 'framesPerSecond'),
      videoWidth: sum(picture, 'frameWidth'),
      videoHeight: sum(picture, 'frameHeight'),
    },
  };
}

/**
 * The figures of `now`, with the rates since `before`.
 *
 * `captureMs` is how long the microphone takes; null without one.
 */
export function statsSince(before: Sample | null, now: Sample, captureMs: number | null = null): ClientStats {
  if (!before) return now.stats;
  const tookS = Math.max((now.timeMs - before.timeMs) / 1000, 1e-3);
  const grown = (figure: keyof TransportStats) =>
    Math.max(0, Number(now.stats.network[figure]) - Number(before.stats.network[figure]));
  const share = (part: number, whole: number) => (part > 0 && whole > 0 ? Math.min(1, part / whole) : 0);
  const lost = grown('packetsLost');
  const meanMs = (seconds: number, samples: number) => (samples > 0 ? (1000 * seconds) / samples : null);
  const jitterBufferMs = meanMs(now.bufferedS - before.bufferedS, now.emitted - before.emitted);
  const { roundTripTimeMs } = now.stats.network;
  const onTheWayMs = roundTripTimeMs === null ? null : ENCODER_MS + roundTripTimeMs / 2;
  const playoutMs = meanMs(now.playoutS - before.playoutS, now.played - before.played) ?? 0;
  return {
    ...now.stats,
    sendBps: (8 * grown('bytesSent')) / tookS,
    receiveBps: (8 * grown('bytesReceived')) / tookS,
    inboundLoss: share(lost, lost + grown('packetsReceived')),
    concealed: share(now.concealedSamples - before.concealedSamples, now.samples - before.samples),
    jitterBufferMs,
    userToAiMs: onTheWayMs === null || captureMs === null ? null : captureMs + PACKET_MS + onTheWayMs,
    aiToUserMs: onTheWayMs === null || jitterBufferMs === null ? null : onTheWayMs + jitterBufferMs + playoutMs,
  };
}

/** How long a microphone takes from the sound to the page (Media Capture Extensions, and Media Capture and Streams). */
export function captureMsOf(track: MediaStreamTrack): number {
  const { stats } = track as { stats?: { averageLatency?: number } };
  const { latency } = track.getSettings() as { latency?: number };
  return number(stats?.averageLatency) || 1000 * number(latency);
}

const isNumber = (value: unknown): value is number => typeof value === 'number' && Number.isFinite(value);
const number = (value: unknown): number => (isNumber(value) ? value : 0);
