import { SpikeError, conversationEnded } from './errors';
import type { Event, FunctionCall } from './events';
import type { Still } from './still';
import { fieldsOf, isFields, newId, parseObject, text, textOrNull, written, type Answering, type Fields, type Role, type Wire } from './wire';

const LABEL = 'rtvi-ai';
const PROTOCOL_VERSION = '2.2.0';

/**
 * Where the AI's words can come from, best first. A server that sends a better one is not listened to on the others, or
 * every word would count twice.
 */
const TRANSCRIPT_SOURCES = ['bot-output', 'tts-raw-text', 'bot-tts-text', 'bot-transcription'];

const answering = ({ respond, speak }: Answering) => ({ run_immediately: respond, audio_response: speak });

export const encode = (type: string, data: unknown = {}, id = newId()): string =>
  written({ label: LABEL, type, id, data });

/** A message of the transport itself, such as `trackStatus`. */
export const encodeSignalling = (type: string, fields: Fields = {}): string =>
  JSON.stringify({ type: 'signalling', message: { type, ...fields } });

/** The type of a message of the transport itself; null for any other text. */
export function signallingType(message: Fields): string | null {
  return message['type'] === 'signalling' ? textOrNull(fieldsOf(message['message'])['type']) : null;
}

/** RTVI 2.2: what pipecat's bots and the embedded server speak. */
export class RTVI implements Wire {
  readonly wordsRunAhead = false;
  private readonly transcript = new AITranscript();
  private speaking = false;
  private thinking = false;
  private reportsThinking = false;
  private lastUserWords = '';

  greeting(): string[] {
    const about = { library: '@spike/client', platform: navigator.userAgent };
    return [encode('client-ready', { version: PROTOCOL_VERSION, about })];
  }

  message(type: string, data: unknown): [string, string[]] {
    const id = newId();
    return [id, [encode('client-message', { t: type, d: data }, id)]];
  }

  text(content: string, options: Answering): string[] {
    return [encode('send-text', { content, options: answering(options) })];
  }

  picture({ jpeg, width, height }: Still, caption: string, options: Answering): string[] {
    const file = { format: 'image/jpeg', name: 'picture.jpg', source: { type: 'bytes', bytes: jpeg, width, height } };
    return [encode('send-file', { content: caption, file, options: answering(options) })];
  }

  /** An RTVI bot knows its functions by itself. */
  session(): string[] {
    return [];
  }

  /** RTVI knows no other role than the user, so that is the application's. */
  context(content: string, role: Role): string[] {
    if (role === 'user') return this.text(content, { respond: false, speak: false });
    return this.message('append-to-context', { role, content })[1];
  }

  keys(keys: string): string[] {
    return [encode('dtmf', { buttons: [...keys] })];
  }

  /** RTVI has no message for it, so it is one of the application. */
  talk(pressed: boolean): string[] {
    const interrupts = pressed && (this.speaking || this.thinking) ? this.interrupt() : [];
    return [...interrupts, ...this.message('push-to-talk', { pressed })[1]];
  }

  /** The same. */
  interrupt(): string[] {
    return this.message('interrupt', null)[1];
  }

  functionResult(call: FunctionCall, result: unknown): string[] {
    const data = { function_name: call.name, tool_call_id: call.callId, arguments: call.arguments, result };
    return [encode('llm-function-call-result', data)];
  }

  receive(received: string): Event[] {
    const message = parseObject(received);
    if (!message) {
      console.warn('ignored a message that is no JSON object:', received.slice(0, 80));
      return [];
    }
    if (message['type'] === 'signalling') {
      return signallingType(message) === 'peerLeft' ? [['error', conversationEnded('the server ended the conversation')]] : [];
    }
    if (message['label'] !== LABEL) return [['message', { data: message, type: null, replyTo: null }]];
    return this.rtvi(text(message['type']), fieldsOf(message['data']), message);
  }

  private rtvi(type: string, data: Fields, message: Fields): Event[] {
    switch (type) {
      case 'bot-ready':
        return [['connected']];
      case 'bot-llm-started':
        this.reportsThinking = true;
        return this.think();
      case 'bot-started-speaking':
        return this.speak();
      case 'bot-stopped-speaking':
      case 'bot-interrupted':
        return this.idle(type === 'bot-interrupted');
      case 'bot-paused':
      case 'bot-resumed':
        return [['ai-paused', type === 'bot-paused']];
      case 'user-started-speaking':
        this.lastUserWords = '';
        return [['user-started-speaking']];
      case 'user-stopped-speaking':
        return [['user-stopped-speaking'], ...(this.reportsThinking ? [] : this.think())];
      case 'user-input':
      case 'user-transcription':
        return this.userWords(data);
      case 'llm-function-call-started':
      case 'llm-function-call-in-progress':
      case 'llm-function-call-stopped':
        return [['function-call', functionCall(type.slice('llm-function-call-'.length), data)]];
      case 'server-message':
        return [serverMessage(message['data'])];
      case 'server-response':
        return [['message', { data: data['d'] ?? null, type: textOrNull(data['t']), replyTo: text(message['id']) }]];
      case 'error':
      case 'error-response':
        return [['error', serverError(data)]];
      default:
        return TRANSCRIPT_SOURCES.includes(type) ? this.aiWords(type, data) : [];
    }
  }

  private think(): Event[] {
    if (this.thinking || this.speaking) return [];
    this.thinking = true;
    return [['ai-thinking']];
  }

  private speak(): Event[] {
    if (this.speaking) return [];
    this.speaking = true;
    this.thinking = false;
    return [['ai-speaking', { transcript: this.transcript.text, audioLevel: 0 }]];
  }

  private idle(interrupted: boolean): Event[] {
    if (!this.speaking && !this.thinking) return [];
    this.speaking = this.thinking = false;
    this.transcript.endTurn();
    return [['ai-idle', { interrupted }]];
  }

  private aiWords(source: string, data: Fields): Event[] {
    const grown = this.transcript.add(source, data);
    return grown && this.speaking ? [['ai-speaking', { transcript: this.transcript.text, audioLevel: 0 }]] : [];
  }

  /** Servers send the same words under two types: what was just said once is not said again. */
  private userWords(data: Fields): Event[] {
    const transcript = text(data['text']);
    const final = data['final'] !== false;
    const words = `${final} ${transcript}`;
    if (!transcript || words === this.lastUserWords) return [];
    this.lastUserWords = words;
    return [['user-transcript', { transcript, final }]];
  }
}

/** The words of the answer that the AI is giving, put together from the best source that the server has. */
class AITranscript {
  private sourceRank = TRANSCRIPT_SOURCES.length;
  private segments = new Map<string, string>();
  private readonly ended = new Set<string>();
  private turnEnded = false;
  private pieces = 0;

  get text(): string {
    return this.turnEnded ? '' : [...this.segments.values()].filter(Boolean).join(' ');
  }

  /** Take in one message; true where the text has changed. */
  add(source: string, data: Fields): boolean {
    const [segment, words] = this.spokenWords(source, data);
    const rank = TRANSCRIPT_SOURCES.indexOf(source);
    if (!words || this.ended.has(segment) || rank > this.sourceRank) return false;
    const before = this.text;
    if (this.turnEnded || rank < this.sourceRank) this.segments = new Map();
    this.turnEnded = false;
    this.sourceRank = rank;
    this.segments.set(segment, words);
    return this.text !== before;
  }

  /** Words that still arrive for a segment of this turn are late: the next turn starts with the next segment. */
  endTurn(): void {
    for (const segment of this.segments.keys()) this.ended.add(segment);
    this.turnEnded = true;
  }

  /** The segment that a message belongs to, and its words as far as they have been spoken. */
  private spokenWords(source: string, data: Fields): [segment: string, words: string] {
    const words = text(data['text']).trim();
    const progress = data['spoken_progress'];
    if (source === 'bot-output' && isFields(progress)) {
      return [`segment ${text(data['segment_id'])}`, text(progress['accumulated_text']).trim()];
    }
    // Servers before spoken_progress send each word when it has been spoken.
    const spoken = source !== 'bot-output' || (data['spoken'] === true && data['aggregated_by'] === 'word');
    return [`piece ${++this.pieces}`, spoken ? words : ''];
  }
}

function serverMessage(data: unknown): Event {
  const fields = fieldsOf(data);
  if (fields['type'] !== 'perception') return ['message', { data, type: textOrNull(fields['type']), replyTo: null }];
  const seen = isFields(fields['data']) ? fields['data'] : fields;
  return ['perception', { emotion: textOrNull(seen['emotion']), gesture: textOrNull(seen['gesture']), data: fields }];
}

function functionCall(status: string, data: Fields): FunctionCall {
  return {
    status: status as FunctionCall['status'],
    name: textOrNull(data['function_name']),
    callId: textOrNull(data['tool_call_id']),
    arguments: fieldsOf(data['arguments']),
    result: data['result'] ?? null,
    cancelled: data['cancelled'] === true,
  };
}

function serverError(data: Fields): SpikeError {
  const message = text(data['error'] || data['message']) || 'the server reports an error without a text';
  return data['fatal'] ? conversationEnded(message) : new SpikeError('SERVER_ERROR', message);
}
