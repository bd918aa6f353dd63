import { Meter } from '@spike/client';
import { AIVideo, PlaybackButton, useSpikeConversation } from '@spike/react';
import { useEffect, useRef } from 'react';
import { WORDS, type Mood } from './mood';
import { BANDS, Ring } from './visualiser';

/** How loud the AI and the user are, polled by whoever draws. */
export interface Meters {
  ai: Meter | null;
  you: Meter | null;
}

/** The AI's face in its ring, and the one word that says what goes on. */
export function Stage({ mood, meters }: { mood: Mood; meters: { current: Meters } }) {
  const { isConnected, aiVideoTrack, localVideoTrack } = useSpikeConversation();
  const canvas = useRef<HTMLCanvasElement>(null);
  const newest = useRef(mood);
  newest.current = mood;
  useEffect(() => draw(canvas.current!, newest, meters), [meters]);
  return (
    <div className="stage">
      <div className="face">
        <Portrait />
        {isConnected && aiVideoTrack && <AIVideo aria-label="The AI" />}
        <canvas ref={canvas} aria-hidden="true" />
      </div>
      <p className="mood" role="status">
        {WORDS[mood]}
        {mood === 'thinking' || mood === 'connecting' ? '…' : ''}
      </p>
      <PlaybackButton className="primary">Let me hear the AI</PlaybackButton>
      {localVideoTrack && <SelfView track={localVideoTrack} />}
    </div>
  );
}

function draw(canvas: HTMLCanvasElement, mood: { current: Mood }, meters: { current: Meters }): () => void {
  const ring = new Ring(canvas);
  const calm = matchMedia('(prefers-reduced-motion: reduce)');
  let drawnAt = 0;
  let frame = requestAnimationFrame(function paint(now) {
    frame = requestAnimationFrame(paint);
    if (calm.matches && now - drawnAt < 250) return;
    drawnAt = now;
    const meter = mood.current === 'speaking' ? meters.current.ai : mood.current === 'muted' ? null : meters.current.you;
    const colour = getComputedStyle(canvas).getPropertyValue('color');
    ring.draw({ mood: mood.current, colour, bands: meter?.bands(BANDS) ?? [], timeS: now / 1000, still: calm.matches });
  });
  return () => cancelAnimationFrame(frame);
}

/** Who is at the other end, as long as there is no picture before it. */
function Portrait() {
  return (
    <svg viewBox="0 0 100 100" aria-hidden="true" className="portrait">
      <circle cx="50" cy="42" r="17" />
      <path d="M16 100c1-25 16-37 34-37s33 12 34 37z" />
      <path className="headset" d="M31 44v-4a19 19 0 0 1 38 0v4M31 44v8M69 44v8M31 52c0 9 8 12 14 12" />
    </svg>
  );
}

function SelfView({ track }: { track: MediaStreamTrack }) {
  const video = useRef<HTMLVideoElement>(null);
  useEffect(() => {
    if (video.current) video.current.srcObject = new MediaStream([track]);
  }, [track]);
  return <video ref={video} className="self" autoPlay playsInline muted aria-label="Your camera" />;
}
