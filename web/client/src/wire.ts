import { SpikeError } from './errors';
import type { Event, FunctionCall } from './events';
import type { PageFunction } from './functions';
import type { Still } from './still';

export type Role = 'user' | 'system';

/** Whether the AI answers at once, and whether the answer is spoken. */
export interface Answering {
  respond: boolean;
  speak: boolean;
}

/** What a client says to a server and hears from it, as texts; each kind of server has its own. */
export interface Wire {
  /** The AI's words come before its voice, not with it. */
  readonly wordsRunAhead: boolean;
  /** What opens the conversation once the channel is open. */
  greeting(): string[];
  /** The events that `text` means; `connected` when the AI is ready. */
  receive(text: string): Event[];
  /** A message of the application, as its id and what to send. */
  message(type: string, data: unknown): [id: string, texts: string[]];
  /** What the user types instead of saying it. */
  text(content: string, options: Answering): string[];
  /** What the user shows. */
  picture(still: Still, caption: string, options: Answering): string[];
  /** What the server must know of the page: its functions, null leaving them as they are, and its button. */
  session(functions: Iterable<PageFunction> | null, pushToTalk: boolean): string[];
  /** What the AI shall know without answering. */
  context(content: string, role: Role): string[];
  /** Keys of a telephone. */
  keys(keys: string): string[];
  /** The user presses the button to talk, or lets go. */
  talk(pressed: boolean): string[];
  interrupt(): string[];
  functionResult(call: FunctionCall, result: unknown): string[];
}

export type Fields = Record<string, unknown>;

export const isFields = (value: unknown): value is Fields =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

export const fieldsOf = (value: unknown): Fields => (isFields(value) ? value : {});

export const textOrNull = (value: unknown): string | null => (typeof value === 'string' ? value : null);

export const text = (value: unknown): string => (value === undefined || value === null ? '' : String(value));

/** The JSON object in `text`, or null. */
export function parseObject(text: string): Fields | null {
  try {
    const parsed: unknown = JSON.parse(text);
    return isFields(parsed) ? parsed : null;
  } catch {
    return null;
  }
}

/** `value` as JSON, or `INVALID_OPTION`. */
export function written(value: unknown): string {
  try {
    return JSON.stringify(value);
  } catch (error) {
    throw new SpikeError('INVALID_OPTION', `a message holds what JSON cannot: ${String(error)}`);
  }
}

export const newId = (): string => crypto.getRandomValues(new Uint32Array(1))[0]!.toString(16).padStart(8, '0');

/** The `exp` claim of a JSON Web Token (RFC 7519) in seconds of the epoch; null where there is none to read. */
export function tokenExpiry(token: string): number | null {
  try {
    const payload = token.split('.')[1]!.replace(/-/g, '+').replace(/_/g, '/');
    const { exp } = JSON.parse(atob(payload)) as { exp?: unknown };
    return typeof exp === 'number' ? exp : null;
  } catch {
    return null;
  }
}
