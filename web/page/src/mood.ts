import type { ConversationState } from '@spike/client';

/** What the page shows large: one word and one colour. */
export type Mood = 'off' | 'connecting' | 'listening' | 'hearing' | 'thinking' | 'speaking' | 'muted';

export const WORDS: Record<Mood, string> = {
  off: 'Ready when you are',
  connecting: 'Connecting',
  listening: 'Listening',
  hearing: 'Hearing you',
  thinking: 'Thinking',
  speaking: 'Speaking',
  muted: 'You are muted',
};

/** `awaiting`: the user has finished, and nothing has come of it yet. */
export function moodOf(state: ConversationState, awaiting = false): Mood {
  if (state.status === 'disconnected') return 'off';
  if (!state.isConnected) return 'connecting';
  if (state.isAISpeaking) return 'speaking';
  if (state.isUserSpeaking) return 'hearing';
  if (state.isAIThinking || awaiting) return 'thinking';
  return state.audioEnabled ? 'listening' : 'muted';
}
