import { Meter } from '@spike/client';
import { SpikeProvider, useConversation, useConversationEvent, type Conversation as Talk } from '@spike/react';
import { useCallback, useEffect, useReducer, useRef, useState } from 'react';
import { Controls } from './controls';
import { Conversation } from './conversation';
import { Insight, type Entry } from './insight';
import { Refused, openConversation, takeCode, type Invitation } from './invitation';
import { moodOf } from './mood';
import { Stage, type Meters } from './stage';
import { transcript } from './transcript';
import { TurnClock, type Delay } from './turnclock';
import { BROKEN, noticeOf, noticeOfRefusal, type Notice } from './words';

takeCode();

export function App() {
  return (
    <SpikeProvider>
      <Page />
    </SpikeProvider>
  );
}

const LOUD = 0.01; // of a microphone: well above a quiet room
const AUDIBLE = 0.004;
const KEPT = 12;

function Page() {
  const [invitation, setInvitation] = useState<Invitation | null>(null);
  const [asking, setAsking] = useState(false);
  const [notice, setNotice] = useState<Notice | null>(null);
  const talk = useConversation(invitation && { ...invitation, joinTimeoutS: 15 });
  const { client, join } = talk;

  const start = async () => {
    setNotice(null);
    setAsking(true);
    try {
      setInvitation(await openConversation());
    } catch (error) {
      setNotice(noticeOfRefusal(error instanceof Refused ? error.status : 0));
    } finally {
      setAsking(false);
    }
  };
  useEffect(() => {
    client?.setVideoEnabled(false); // the camera is for who switches it on
    if (client) void join();
  }, [client, join]);

  const awaiting = useAwaiting();
  const mood = asking ? 'connecting' : moodOf(talk, awaiting);
  const inside = asking || talk.status !== 'disconnected';
  return <Room talk={talk} mood={mood} inside={inside} notice={notice} onNotice={setNotice} onStart={() => void start()} />;
}

interface RoomProps {
  talk: Talk;
  mood: ReturnType<typeof moodOf>;
  inside: boolean;
  notice: Notice | null;
  onNotice: (notice: Notice | null) => void;
  onStart: () => void;
}

function Room({ talk, mood, inside, notice, onNotice, onStart }: RoomProps) {
  const [lines, say] = useReducer(transcript, []);
  const [entries, note] = useEntries();
  const meters = useRef<Meters>({ ai: null, you: null });
  const cause = useRef<string | null>(null);
  const delays = useDelays(talk, meters);

  useConversationEvent('connected', () => {
    note('The AI is ready.');
    if (notice === BROKEN) onNotice(null);
  });
  useConversationEvent('user-transcript', ({ transcript: text, final }) => say({ type: 'you', text, final }));
  useConversationEvent('ai-speaking', ({ transcript: text }) => say({ type: 'ai', text }));
  useConversationEvent('user-started-speaking', () => (cause.current = 'because you began to speak'));
  useConversationEvent('ai-idle', ({ interrupted }) => {
    say({ type: 'idle', interrupted });
    note(`The AI stopped ${interrupted ? (cause.current ?? 'because the server stopped it') : 'because it had said everything'}.`);
    cause.current = null;
  });
  useConversationEvent('ai-paused', (paused) => !paused && note('The AI paused for a moment: something sounded like a voice.'));
  useConversationEvent('network-quality', ({ level }) => note(`The network is ${level}.`));
  useConversationEvent('reconnecting', ({ attempt }) => note(`Connecting again, attempt ${attempt}.`));
  useConversationEvent('error', (error) => {
    onNotice(noticeOf(error));
    note(`${error.message}.`);
  });
  useConversationEvent('disconnected', (reason, { willReconnect }) => {
    say({ type: 'idle', interrupted: true });
    if (willReconnect) onNotice(BROKEN);
    else note(reason === 'left' ? 'You left.' : 'The conversation is over.');
  });

  const stop = useCallback(() => {
    cause.current = 'because you stopped it';
    talk.interrupt();
  }, [talk.interrupt]);
  useShortcuts(talk, stop);

  return (
    <main className="page" data-mood={mood}>
      <header>
        <h1>Front desk</h1>
        <Quality level={talk.networkQuality} />
      </header>
      {notice && (
        <div className="notice" role="alert">
          <p><strong>{notice.title}</strong> {notice.advice}</p>
          <button type="button" onClick={() => onNotice(null)} aria-label="Close this notice">×</button>
        </div>
      )}
      <section className="card scene" aria-label="The AI">
        <Stage mood={mood} meters={meters} />
        {inside ? (
          <Controls onStop={stop} onNotice={onNotice} />
        ) : (
          <div className="welcome">
            <button type="button" className="primary" onClick={() => { say({ type: 'clear' }); onStart(); }}>
              {lines.length ? 'Talk again' : 'Start talking'}
            </button>
            <p>You speak, it answers. Interrupt it whenever you like. Your browser will ask for the microphone.</p>
          </div>
        )}
      </section>
      <Conversation lines={lines} onTyped={() => (cause.current = 'because you typed')} />
      <Insight delays={delays} entries={entries} />
    </main>
  );
}

function Quality({ level }: { level: Talk['networkQuality'] }) {
  if (!level) return null;
  const bars = { good: 3, fair: 2, poor: 1 }[level];
  return (
    <p className={`quality ${level}`}>
      <svg viewBox="0 0 18 14" aria-hidden="true">
        {[1, 2, 3].map((bar) => <rect key={bar} x={(bar - 1) * 6} y={14 - bar * 4.5} width="4" height={bar * 4.5} rx="1" opacity={bar <= bars ? 1 : 0.25} />)}
      </svg>
      <span>Network {level}</span>
    </p>
  );
}

/** Whether the user has finished and nothing has come of it yet; not for ever, because not every sound is answered. */
function useAwaiting(): boolean {
  const [since, setSince] = useState<number | null>(null);
  const over = () => setSince(null);
  useConversationEvent('user-stopped-speaking', () => setSince(performance.now()));
  useConversationEvent('user-started-speaking', over);
  useConversationEvent('ai-speaking', over);
  useConversationEvent('ai-idle', over);
  useConversationEvent('disconnected', over);
  useEffect(() => {
    const timer = since === null ? undefined : setTimeout(over, 4000);
    return () => clearTimeout(timer);
  }, [since]);
  return since !== null;
}

function useEntries(): [Entry[], (text: string) => void] {
  const [entries, setEntries] = useState<Entry[]>([]);
  const note = useCallback((text: string) => {
    const at = new Date().toLocaleTimeString([], { hour: '2-digit', minute: '2-digit', second: '2-digit' });
    setEntries((before) => [{ id: (before[0]?.id ?? 0) + 1, at, text }, ...before].slice(0, KEPT));
  }, []);
  return [entries, note];
}

/** Listens to both sides, and measures how long the user waits. */
function useDelays({ aiAudioTrack, localAudioTrack }: Talk, meters: { current: Meters }): Delay[] {
  const [delays, setDelays] = useState<Delay[]>([]);
  const clock = useRef(new TurnClock());
  useConversationEvent('user-started-speaking', () => clock.current.onUserStarted());
  useConversationEvent('user-stopped-speaking', () => clock.current.onUserStopped(performance.now()));
  useConversationEvent('user-transcript', ({ final }) => final && clock.current.onUnderstood(performance.now()));
  useConversationEvent('ai-speaking', () => clock.current.onSpeaking(performance.now()));
  useEffect(() => {
    const own: Meters = { ai: aiAudioTrack && new Meter(aiAudioTrack), you: localAudioTrack && new Meter(localAudioTrack) };
    meters.current = own;
    const timer = setInterval(() => {
      const now = performance.now();
      if (own.you && own.you.level > LOUD) clock.current.onLoud(now);
      const delay = own.ai && own.ai.level > AUDIBLE ? clock.current.onHeard(now) : null;
      if (delay) setDelays((before) => [...before, delay].slice(-KEPT));
    }, 20);
    return () => {
      clearInterval(timer);
      own.ai?.close();
      own.you?.close();
      meters.current = { ai: null, you: null };
    };
  }, [aiAudioTrack, localAudioTrack, meters]);
  return delays;
}

/** M mutes, Escape stops the AI; not while somebody types. */
function useShortcuts(talk: Talk, stop: () => void): void {
  const newest = useRef(talk);
  newest.current = talk;
  useEffect(() => {
    const onKey = (event: KeyboardEvent) => {
      const typing = (event.target as HTMLElement).matches('input, select, textarea');
      if (typing || event.ctrlKey || event.metaKey || event.altKey || !newest.current.isConnected) return;
      if (event.key === 'm') newest.current.setAudioEnabled(!newest.current.audioEnabled);
      if (event.key === 'Escape' && newest.current.isAISpeaking) stop();
    };
    addEventListener('keydown', onKey);
    return () => removeEventListener('keydown', onKey);
  }, [stop]);
}
