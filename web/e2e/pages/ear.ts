import type { SpikeClient } from '@spike/client';

/** How loud the microphone and the AI are in one moment, as RMS from 0 to 1; what the page does not play counts as silence. */
export interface Loudness {
  at: number;
  you: number;
  ai: number;
}

const EVERY_MS = 5;

/** Note until the page ends how loud both are, by the page's own clock. */
export function listen(client: SpikeClient): Loudness[] {
  const noted: Loudness[] = [];
  const audio = new AudioContext();
  const ears = new Map<MediaStreamTrack, () => number>();
  const earOf = (track: MediaStreamTrack) => {
    const analyser = new AnalyserNode(audio, { fftSize: 256 });
    audio.createMediaStreamSource(new MediaStream([track])).connect(analyser);
    const samples = new Float32Array(analyser.fftSize);
    return () => {
      analyser.getFloatTimeDomainData(samples);
      return Math.sqrt(samples.reduce((sum, x) => sum + x * x, 0) / samples.length);
    };
  };
  const loudness = (track: MediaStreamTrack | null) => {
    if (!track) return 0;
    if (!ears.has(track)) ears.set(track, earOf(track));
    return ears.get(track)!();
  };
  setInterval(() => {
    const { localAudioTrack, aiAudioTrack } = client.state;
    const player = document.querySelector<HTMLAudioElement>('audio[data-spike]');
    const gain = !player || player.muted || player.paused ? 0 : player.volume;
    noted.push({ at: performance.now(), you: loudness(localAudioTrack), ai: gain * loudness(aiAudioTrack) });
  }, EVERY_MS);
  return noted;
}
