import { SpikeError, conversationEnded } from './errors';
import type { Event, FunctionCall } from './events';
import type { PageFunction } from './functions';
import type { Still } from './still';
import { fieldsOf, newId, parseObject, text, textOrNull, written, type Answering, type Fields, type Role, type Wire } from './wire';

const encode = (type: string, fields: Fields = {}): string => written({ type, ...fields });

const said = (role: Role, content: Fields[]): string =>
  encode('conversation.item.create', { item: { type: 'message', role, content } });

/** The events of OpenAI's Realtime API over WebRTC, as its published reference has them. */
export class OpenAIRealtime implements Wire {
  readonly wordsRunAhead = true;
  private transcript = '';
  private speaking = false;
  private thinking = false;
  /** What is understood so far of each item of the user's. */
  private readonly heard = new Map<string, string>();

  /** The server speaks first. */
  greeting(): string[] {
    return [];
  }

  /** Any client event of the API, such as `session.update`. */
  message(type: string, data: unknown): [string, string[]] {
    const id = `event_${newId()}`;
    return [id, [encode(type, { event_id: id, ...fieldsOf(data) })]];
  }

  text(content: string, options: Answering): string[] {
    return [...this.context(content, 'user'), ...this.asked(options)];
  }

  picture({ jpeg }: Still, caption: string, options: Answering): string[] {
    const shown = { type: 'input_image', image_url: `data:image/jpeg;base64,${jpeg}` };
    return [said('user', [shown, ...(caption ? [{ type: 'input_text', text: caption }] : [])]), ...this.asked(options)];
  }

  private asked({ respond, speak }: Answering): string[] {
    const response = { output_modalities: [speak ? 'audio' : 'text'] };
    return respond ? [...this.interrupt(), encode('response.create', { response })] : [];
  }

  session(functions: Iterable<PageFunction> | null, pushToTalk: boolean): string[] {
    const tools = functions && [...functions].map(({ name, description, parameters }) => ({ type: 'function', name, description, parameters }));
    const audio = pushToTalk && { input: { turn_detection: null } };
    if (!tools && !audio) return [];
    return [encode('session.update', { session: { type: 'realtime', ...(tools && { tools }), ...(audio && { audio }) } })];
  }

  context(content: string, role: Role): string[] {
    return [said(role, [{ type: 'input_text', text: content }])];
  }

  /** The API takes keys of telephone calls only, so the AI reads them. */
  keys(keys: string): string[] {
    return this.text(`DTMF: ${keys}`, { respond: true, speak: true });
  }

  talk(pressed: boolean): string[] {
    if (pressed) return [...this.interrupt(), encode('input_audio_buffer.clear')];
    return [encode('input_audio_buffer.commit'), encode('response.create')];
  }

  interrupt(): string[] {
    return this.speaking || this.thinking ? [encode('response.cancel'), encode('output_audio_buffer.clear')] : [];
  }

  functionResult(call: FunctionCall, result: unknown): string[] {
    const output = typeof result === 'string' ? result : written(result);
    const item = { type: 'function_call_output', call_id: call.callId, output };
    return [encode('conversation.item.create', { item }), encode('response.create')];
  }

  receive(received: string): Event[] {
    const event = parseObject(received);
    if (!event) {
      console.warn('ignored a message that is no JSON object:', received.slice(0, 80));
      return [];
    }
    const type = text(event['type']);
    switch (type) {
      case 'session.created':
        return [['connected']];
      case 'input_audio_buffer.speech_started':
        return [['user-started-speaking']];
      case 'input_audio_buffer.speech_stopped':
        return [['user-stopped-speaking']];
      case 'conversation.item.input_audio_transcription.delta':
        return this.hear(event);
      case 'conversation.item.input_audio_transcription.completed':
        this.heard.delete(text(event['item_id']));
        return [['user-transcript', { transcript: text(event['transcript']), final: true }]];
      case 'error':
        return [['error', errorOf(fieldsOf(event['error']))]];
      default:
        return this.response(type, event);
    }
  }

  private hear(event: Fields): Event[] {
    const item = text(event['item_id']);
    const transcript = (this.heard.get(item) ?? '') + text(event['delta']);
    this.heard.set(item, transcript);
    return [['user-transcript', { transcript, final: false }]];
  }

  private response(type: string, event: Fields): Event[] {
    switch (type) {
      case 'response.created':
        this.transcript = '';
        this.thinking = true;
        return this.speaking ? [] : [['ai-thinking']];
      case 'response.output_audio_transcript.delta':
      case 'response.output_text.delta':
        this.transcript += text(event['delta']);
        return this.speaking ? [this.speech()] : [];
      case 'output_audio_buffer.started':
        this.speaking = true;
        this.thinking = false;
        return [this.speech()];
      case 'output_audio_buffer.stopped':
      case 'output_audio_buffer.cleared':
        return this.idle(type.endsWith('cleared'));
      case 'response.done':
        return this.done(fieldsOf(event['response']));
      case 'response.output_item.added': {
        const item = fieldsOf(event['item']);
        return item['type'] === 'function_call' ? [functionCall('started', item, {})] : [];
      }
      case 'response.function_call_arguments.done':
        return [functionCall('in-progress', event, parseObject(text(event['arguments'])) ?? {})];
      default:
        return [['message', { data: event, type, replyTo: null }]];
    }
  }

  private speech(): Event {
    return ['ai-speaking', { transcript: this.transcript, audioLevel: 0 }];
  }

  /** The model has finished; its voice may go on for a while. */
  private done(response: Fields): Event[] {
    const events: Event[] = [];
    if (response['status'] === 'failed') {
      const details = fieldsOf(fieldsOf(response['status_details'])['error']);
      const message = text(details['message'] || details['code']) || 'the answer failed';
      events.push(['error', new SpikeError('SERVER_ERROR', message)]);
    }
    // An answer without a voice: text, or the use of a function.
    const silent = this.thinking && !this.speaking;
    return silent ? [...events, ...this.idle(response['status'] === 'cancelled')] : events;
  }

  private idle(interrupted: boolean): Event[] {
    const wasActive = this.speaking || this.thinking;
    this.speaking = this.thinking = false;
    return wasActive ? [['ai-idle', { interrupted }]] : [];
  }
}

function functionCall(status: 'started' | 'in-progress', from: Fields, args: Fields): Event {
  const name = textOrNull(from['name']);
  const call = { status, name, callId: textOrNull(from['call_id']), arguments: args, result: null, cancelled: false };
  return ['function-call', call];
}

function errorOf(error: Fields): SpikeError {
  const message = text(error['message']) || 'the server reports an error without a text';
  return error['code'] === 'session_expired' ? conversationEnded(message) : new SpikeError('SERVER_ERROR', message);
}
