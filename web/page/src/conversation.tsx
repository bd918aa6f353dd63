import { useSpikeConversation } from '@spike/react';
import { useEffect, useRef, useState, type FormEvent } from 'react';
import type { Line } from './transcript';

/** Both transcripts, growing, and a line to type instead of talking. */
export function Conversation({ lines, onTyped }: { lines: Line[]; onTyped: () => void }) {
  const list = useRef<HTMLDivElement>(null);
  useEffect(() => {
    const box = list.current;
    if (box) box.scrollTop = box.scrollHeight;
  }, [lines]);
  // A screen reader reads a line when it is whole, not each time that a word is added.
  const growing = lines.some((line) => line.state === 'growing');
  return (
    <section className="card talk" aria-label="Conversation">
      <div ref={list} className="lines" role="log" aria-busy={growing} aria-label="What was said" tabIndex={0}>
        {lines.length === 0 && <p className="hint">What you and the AI say appears here.</p>}
        {lines.map((line) => (
          <div key={line.id} className={`line ${line.who} ${line.state}`}>
            <span className="who">{line.who === 'you' ? 'You' : 'AI'}</span>
            <span className="text">{line.text}</span>
            {line.state === 'interrupted' && <span className="cut">interrupted here</span>}
          </div>
        ))}
      </div>
      <Typing onTyped={onTyped} />
    </section>
  );
}

function Typing({ onTyped }: { onTyped: () => void }) {
  const { isConnected, sendText } = useSpikeConversation();
  const [text, setText] = useState('');
  const send = (event: FormEvent) => {
    event.preventDefault();
    if (!text.trim() || !isConnected) return;
    onTyped();
    sendText(text.trim());
    setText('');
  };
  return (
    <form className="typing" onSubmit={send}>
      <label htmlFor="typed" className="hidden">Type instead of talking</label>
      <input id="typed" value={text} onChange={(event) => setText(event.target.value)} placeholder="Type instead of talking" autoComplete="off" disabled={!isConnected} />
      <button type="submit" disabled={!isConnected || !text.trim()}>Send</button>
    </form>
  );
}
