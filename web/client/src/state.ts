import type { SpikeError } from './errors';
import type { Event, NetworkQuality } from './events';

export type Status = 'disconnected' | 'connecting' | 'connected' | 'reconnecting';

/** Everything that a user interface shows, as one object that never changes: a new one follows each change. */
export interface ConversationState {
  readonly status: Status;
  readonly isConnected: boolean;
  readonly isAIThinking: boolean;
  readonly isAISpeaking: boolean;
  readonly isUserSpeaking: boolean;
  /** What the AI has said in its current or last answer. */
  readonly aiTranscript: string;
  /** What the AI understood of the user's current or last turn. */
  readonly userTranscript: string;
  /** Loudness of the AI's voice, 0 to 1. */
  readonly audioLevel: number;
  readonly audioEnabled: boolean;
  readonly videoEnabled: boolean;
  readonly aiAudioTrack: MediaStreamTrack | null;
  readonly aiVideoTrack: MediaStreamTrack | null;
  /** What the microphone captures, for a meter. */
  readonly localAudioTrack: MediaStreamTrack | null;
  /** What the camera captures, for a self view. */
  readonly localVideoTrack: MediaStreamTrack | null;
  readonly networkQuality: NetworkQuality['level'] | null;
  /** The browser wants a click before it plays sound. */
  readonly isPlaybackBlocked: boolean;
  /** The last error; a successful join clears it. */
  readonly error: SpikeError | null;
}

export const INITIAL_STATE: ConversationState = {
  status: 'disconnected',
  isConnected: false,
  isAIThinking: false,
  isAISpeaking: false,
  isUserSpeaking: false,
  aiTranscript: '',
  userTranscript: '',
  audioLevel: 0,
  audioEnabled: true,
  videoEnabled: true,
  aiAudioTrack: null,
  aiVideoTrack: null,
  localAudioTrack: null,
  localVideoTrack: null,
  networkQuality: null,
  isPlaybackBlocked: false,
  error: null,
};

/** The state that follows `state` when `event` happens; the same object where nothing changes. */
export function after(state: ConversationState, event: Event): ConversationState {
  const change = changeOf(event);
  const same = !change || Object.entries(change).every(([name, value]) => state[name as keyof ConversationState] === value);
  return same ? state : { ...state, ...change };
}

const SILENT = { isAIThinking: false, isAISpeaking: false, audioLevel: 0 };
const AWAY = { status: 'reconnecting' } as const;
const GONE = {
  status: 'disconnected',
  aiAudioTrack: null,
  aiVideoTrack: null,
  localAudioTrack: null,
  localVideoTrack: null,
  networkQuality: null,
  isPlaybackBlocked: false,
} as const;

function changeOf(event: Event): Partial<ConversationState> | null {
  switch (event[0]) {
    case 'connected':
      return { status: 'connected', isConnected: true, error: null };
    case 'reconnecting':
      return { status: 'reconnecting', isConnected: false };
    case 'disconnected':
      return { ...SILENT, isConnected: false, isUserSpeaking: false, ...(event[2].willReconnect ? AWAY : GONE) };
    case 'ai-thinking':
      return { isAIThinking: true };
    case 'ai-speaking':
      return { isAIThinking: false, isAISpeaking: true, aiTranscript: event[1].transcript, audioLevel: event[1].audioLevel };
    case 'ai-idle':
      return SILENT;
    case 'user-started-speaking':
      return { isUserSpeaking: true };
    case 'user-stopped-speaking':
      return { isUserSpeaking: false };
    case 'user-transcript':
      return { userTranscript: event[1].transcript };
    case 'ai-track':
      return event[1].kind === 'audio' ? { aiAudioTrack: event[1] } : { aiVideoTrack: event[1] };
    case 'local-track':
      return event[1] === 'audio' ? { localAudioTrack: event[2] } : { localVideoTrack: event[2] };
    case 'playback-blocked':
      return { isPlaybackBlocked: true };
    case 'network-quality':
      return { networkQuality: event[1].level };
    case 'error':
      return { error: event[1] };
    default:
      return null;
  }
}
