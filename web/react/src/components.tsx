import { useEffect, useRef, type ButtonHTMLAttributes, type VideoHTMLAttributes } from 'react';
import { useSpikeConversation } from './conversation';

interface AIVideoProps extends VideoHTMLAttributes<HTMLVideoElement> {
  /** By default the picture of the nearest provider's conversation. */
  track?: MediaStreamTrack | null;
}

/** The AI's picture. Its voice is played by the client. */
export function AIVideo({ track, ...attributes }: AIVideoProps) {
  const video = useRef<HTMLVideoElement>(null);
  const { aiVideoTrack } = useSpikeConversation();
  const shown = track === undefined ? aiVideoTrack : track;
  useEffect(() => {
    if (video.current) video.current.srcObject = shown ? new MediaStream([shown]) : null;
  }, [shown]);
  // Muted, so that no browser keeps the picture back: it carries no sound.
  return <video ref={video} autoPlay playsInline muted {...attributes} />;
}

/** A button that is there only where the browser waits for a click before it plays the AI's voice. */
export function PlaybackButton({ children = 'Play the voice', ...attributes }: ButtonHTMLAttributes<HTMLButtonElement>) {
  const { isPlaybackBlocked, startPlayback } = useSpikeConversation();
  if (!isPlaybackBlocked) return null;
  return (
    <button type="button" {...attributes} onClick={() => void startPlayback().catch(() => undefined)}>
      {children}
    </button>
  );
}
