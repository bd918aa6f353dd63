import type { SpikeError } from './errors';
import type { ClientStats } from './stats';

/** Why a conversation is over: `leave()`, the server's wish, a broken network, or what the `error` event said. */
export type DisconnectReason = 'left' | 'ended' | 'network' | 'error';

/** The AI speaks. Comes again as the transcript grows and the level changes. */
export interface AISpeaking {
  /** What has been said of this answer so far. */
  transcript: string;
  /** Loudness of the AI's voice now, 0 (silence) to 1 (full scale). */
  audioLevel: number;
}

export interface UserTranscript {
  /** What the AI understood of the user's turn. */
  transcript: string;
  /** False while the words may still change. */
  final: boolean;
}

/** What the AI sees of the user, where the conversation has perception enabled. */
export interface Perception {
  emotion: string | null;
  gesture: string | null;
  data: Record<string, unknown>;
}

/** A message of the application on the other side, as it came. */
export interface Message {
  data: unknown;
  type: string | null;
  /** The id that `sendMessage()` returned, where this is the answer to it. */
  replyTo: string | null;
}

/** The AI uses a function; with status `in-progress`, `sendFunctionResult()` answers it. */
export interface FunctionCall {
  status: 'started' | 'in-progress' | 'stopped';
  name: string | null;
  callId: string | null;
  arguments: Record<string, unknown>;
  result: unknown;
  cancelled: boolean;
}

/** How good the way to the server is, told when it changes. */
export interface NetworkQuality {
  level: 'good' | 'fair' | 'poor';
  roundTripTimeMs: number | null;
  /** Share of packets that are lost on the worse of the two ways, 0 to 1. */
  loss: number;
}

export interface Device {
  id: string;
  name: string;
  isDefault: boolean;
}

/** Microphones, cameras and loudspeakers. Names are empty until the user has allowed one of them. */
export interface Devices {
  audio: Device[];
  video: Device[];
  audioOutput: Device[];
}

/** The arguments that handlers of each event get. */
export interface EventMap {
  connected: [];
  /** `willReconnect`: the client brings the conversation back by itself. */
  disconnected: [reason: DisconnectReason, details: { willReconnect: boolean }];
  reconnecting: [event: { attempt: number; delayS: number }];
  'ai-thinking': [];
  'ai-speaking': [event: AISpeaking];
  'ai-idle': [event: { interrupted: boolean }];
  /** The AI falls silent because the user may have begun to speak (true), and goes on because it was nothing (false). */
  'ai-paused': [paused: boolean];
  'user-started-speaking': [];
  'user-stopped-speaking': [];
  /** How loud the user is, ten times a second: the microphone as it is sent, 0 to 1. */
  'user-audio-level': [event: { level: number }];
  'user-transcript': [event: UserTranscript];
  perception: [event: Perception];
  message: [event: Message];
  'function-call': [event: FunctionCall];
  /** The AI's voice or picture begins, and again with another track after a reconnection. */
  'ai-track': [track: MediaStreamTrack];
  /** What the microphone or the camera captures begins, changes or ends. */
  'local-track': [kind: 'audio' | 'video', track: MediaStreamTrack | null];
  /** The browser wants a click before it plays sound: call `startPlayback()` from one. */
  'playback-blocked': [];
  stats: [stats: ClientStats];
  'network-quality': [event: NetworkQuality];
  'devices-changed': [devices: Devices];
  error: [error: SpikeError];
}

export type EventName = keyof EventMap;

/** One event with its arguments. */
export type Event = { [Name in EventName]: [name: Name, ...args: EventMap[Name]] }[EventName];

/** Takes events, from the connection to the client. */
export type Emit = (...event: Event) => void;
