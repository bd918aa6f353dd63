import type { ClientStats } from '@spike/client';
import { useConversationEvent, useSpikeConversation } from '@spike/react';
import { useState } from 'react';
import { PARTS, total, type Delay } from './turnclock';

/** Something that happened, for the list. */
export interface Entry {
  id: number;
  at: string;
  text: string;
}

const ms = (value: number | null) => (value === null ? '–' : `${Math.round(value)} ms`);
const percent = (share: number) => `${(share * 100).toFixed(share > 0 && share < 0.1 ? 1 : 0)} %`;

/** What happens: where the time of a turn goes, what the network does, and why the AI stopped. */
export function Insight({ delays, entries }: { delays: Delay[]; entries: Entry[] }) {
  return (
    <details className="card insight" open>
      <summary>What happens</summary>
      <div className="columns">
        <Waits delays={delays} />
        <Figures />
        <div>
          <h2>Events</h2>
          <ol className="events">
            {entries.length === 0 && <li className="hint">Nothing yet.</li>}
            {entries.map((entry) => (
              <li key={entry.id}>
                <time>{entry.at}</time> {entry.text}
              </li>
            ))}
          </ol>
        </div>
      </div>
    </details>
  );
}

function Waits({ delays }: { delays: Delay[] }) {
  const last = delays.at(-1);
  const longest = Math.max(1000, ...delays.map(total));
  return (
    <div>
      <h2>Your wait for an answer</h2>
      {last ? (
        <>
          <p className="figure">{ms(total(last))}</p>
          <svg className="waits" viewBox="0 0 100 24" preserveAspectRatio="none" role="img" aria-label={`The last ${delays.length} waits, the newest ${ms(total(last))}`}>
            {delays.map((delay, index) => bar(delay, index, delays.length, longest))}
          </svg>
          <dl className="parts">
            {PARTS.map(({ part, label }) => (
              <div key={part}>
                <dt><span className={`swatch ${part}`} />{label}</dt>
                <dd>{ms(last[part])}</dd>
              </div>
            ))}
          </dl>
        </>
      ) : (
        <p className="hint">Say something: here is where the time goes until the AI answers.</p>
      )}
    </div>
  );
}

/** One turn as a stack of its parts, from the bottom up. */
function bar(delay: Delay, index: number, count: number, longest: number) {
  const width = Math.min(8, 100 / count);
  let top = 24;
  return PARTS.map(({ part }) => {
    const height = (delay[part] / longest) * 24;
    top -= height;
    return <rect key={`${index} ${part}`} className={part} x={index * width + width * 0.15} y={top} width={width * 0.7} height={height} />;
  });
}

function Figures() {
  const { networkQuality } = useSpikeConversation();
  const [stats, setStats] = useState<ClientStats | null>(null);
  useConversationEvent('stats', setStats);
  useConversationEvent('disconnected', () => setStats(null));
  const figures: [label: string, value: string][] = stats
    ? [
        ['Quality', networkQuality ?? 'measuring'],
        ['There and back', ms(stats.network.roundTripTimeMs)],
        ['Lost on the way here', percent(stats.inboundLoss)],
        ['Lost on the way there', percent(stats.network.outboundLoss)],
        ['Jitter', ms(stats.network.jitterMs)],
        ['From your mouth to the server', ms(stats.userToAiMs)],
        ['From its mouth to your ear', ms(stats.aiToUserMs)],
        ['Waiting to be played', ms(stats.jitterBufferMs)],
        ['Sound made up here', percent(stats.concealed)],
        ['Received', `${Math.round(stats.receiveBps / 1000)} kbit/s`],
        ['Sent', `${Math.round(stats.sendBps / 1000)} kbit/s`],
        ['Reconnections', String(stats.reconnections)],
      ]
    : [];
  return (
    <div>
      <h2>The way to the server</h2>
      {stats ? (
        <dl className="parts">
          {figures.map(([label, value]) => (
            <div key={label}>
              <dt>{label}</dt>
              <dd>{value}</dd>
            </div>
          ))}
        </dl>
      ) : (
        <p className="hint">Measured once you are connected.</p>
      )}
    </div>
  );
}
