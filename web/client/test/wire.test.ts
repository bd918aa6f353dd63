import { describe, expect, it, vi } from 'vitest';
import { OpenAIRealtime } from '../src/openai';
import { RTVI, encode } from '../src/rtvi';
import { tokenExpiry, type Wire } from '../src/wire';

const rtvi = (wire: Wire, ...messages: [type: string, data?: unknown][]) =>
  messages.flatMap(([type, data]) => wire.receive(encode(type, data)));
const openai = (wire: Wire, ...messages: [type: string, fields?: object][]) =>
  messages.flatMap(([type, fields]) => wire.receive(JSON.stringify({ type, ...fields })));
const speaking = (transcript: string) => ['ai-speaking', { transcript, audioLevel: 0 }];
const parsed = (texts: string[]) => texts.map((each) => JSON.parse(each));
const STILL = { jpeg: '/9j/', width: 160, height: 90 };
const ASKED = { respond: true, speak: true };
const output = (segment_id: number, accumulated_text: string, text = accumulated_text) => ({
  segment_id,
  text,
  spoken_progress: { accumulated_text },
});

describe('RTVI', () => {
  it('tells a whole turn', () => {
    expect(
      rtvi(
        new RTVI(),
        ['bot-ready'],
        ['user-started-speaking'],
        ['user-stopped-speaking'],
        ['user-transcription', { text: 'hello', final: true }],
        ['user-input', { text: 'hello', final: true }],
        ['bot-llm-started'],
        ['bot-output', output(1, '', 'Hi there.')],
        ['bot-tts-stopped'],
        ['bot-started-speaking'],
        ['bot-output', output(1, 'Hi', 'Hi there.')],
        ['bot-tts-text', { text: 'Hi' }],
        ['bot-output', output(1, 'Hi there.')],
        ['bot-output', output(2, 'How are you?')],
        ['bot-stopped-speaking'],
      ),
    ).toEqual([
      ['connected'],
      ['user-started-speaking'],
      ['user-stopped-speaking'],
      ['ai-thinking'],
      ['user-transcript', { transcript: 'hello', final: true }],
      speaking(''),
      speaking('Hi'),
      speaking('Hi there.'),
      speaking('Hi there. How are you?'),
      ['ai-idle', { interrupted: false }],
    ]);
  });

  it('tells that the AI pauses, and goes on', () => {
    expect(rtvi(new RTVI(), ['bot-paused'], ['bot-resumed'])).toEqual([
      ['ai-paused', true],
      ['ai-paused', false],
    ]);
  });

  it('starts a new transcript with the next turn, and leaves out words that come late', () => {
    const wire = new RTVI();
    rtvi(wire, ['bot-started-speaking'], ['bot-output', output(1, 'One.')], ['bot-interrupted']);
    expect(rtvi(wire, ['bot-output', output(1, 'One. Two.')], ['bot-started-speaking'], ['bot-output', output(2, 'New.')])).toEqual([
      speaking(''),
      speaking('New.'),
    ]);
  });

  it('puts together the words of servers that send them one by one', () => {
    const spoken = (text: string) => ['bot-output', { text, spoken: true, aggregated_by: 'word' }] as [string, object];
    const events = rtvi(new RTVI(), ['bot-started-speaking'], spoken('Good'), spoken('day'), ['bot-output', { text: 'Good day', spoken: false }]);
    expect(events.at(-1)).toEqual(speaking('Good day'));
  });

  it('leaves thinking to the server once it tells', () => {
    const wire = new RTVI();
    expect(rtvi(wire, ['bot-llm-started'], ['bot-interrupted'], ['user-stopped-speaking'])).toEqual([
      ['ai-thinking'],
      ['ai-idle', { interrupted: true }],
      ['user-stopped-speaking'],
    ]);
  });

  it('tells perception, messages, answers and functions', () => {
    const wire = new RTVI();
    const [id] = wire.message('ask', { a: 1 });
    const perception = { type: 'perception', emotion: 'happy', gesture: null };
    expect(rtvi(wire, ['server-message', perception], ['server-message', { type: 'x' }])).toEqual([
      ['perception', { emotion: 'happy', gesture: null, data: perception }],
      ['message', { data: { type: 'x' }, type: 'x', replyTo: null }],
    ]);
    expect(wire.receive(encode('server-response', { t: 'ask', d: 2 }, id))).toEqual([['message', { data: 2, type: 'ask', replyTo: id }]]);
    const call = { function_name: 'f', tool_call_id: 'c', arguments: { x: 1 } };
    expect(rtvi(wire, ['llm-function-call-in-progress', call])).toEqual([
      ['function-call', { status: 'in-progress', name: 'f', callId: 'c', arguments: { x: 1 }, result: null, cancelled: false }],
    ]);
  });

  it('tells errors, and which of them end the conversation', () => {
    const codes = [{ error: 'bad' }, { error: 'over', fatal: true }].map((data) => rtvi(new RTVI(), ['error', data])[0]![1]);
    expect(codes).toMatchObject([{ code: 'SERVER_ERROR', message: 'bad' }, { code: 'CONVERSATION_ENDED', message: 'over' }]);
    const left = new RTVI().receive(JSON.stringify({ type: 'signalling', message: { type: 'peerLeft' } }));
    expect(left[0]![1]).toMatchObject({ code: 'CONVERSATION_ENDED' });
  });

  it('ignores what is no message, whatever it is', () => {
    const warn = vi.spyOn(console, 'warn').mockImplementation(() => undefined);
    const wire = new RTVI();
    for (const text of ['', 'null', '[]', '{', '"x"', '{"label":"rtvi-ai"}', '{"label":"rtvi-ai","type":"bot-output","data":7}']) {
      expect(wire.receive(text)).toEqual([]);
    }
    expect(warn).toHaveBeenCalledTimes(5);
    warn.mockRestore();
  });

  it('says what pipecat expects', () => {
    const wire = new RTVI();
    const said = [wire.greeting(), wire.text('hi', { respond: true, speak: false }), wire.interrupt()].flat().map((text) => JSON.parse(text));
    expect(said).toMatchObject([
      { label: 'rtvi-ai', type: 'client-ready', data: { version: '2.2.0' } },
      { type: 'send-text', data: { content: 'hi', options: { run_immediately: true, audio_response: false } } },
      { type: 'client-message', data: { t: 'interrupt' } },
    ]);
  });

  it('shows pictures, tells context, presses keys and the button', () => {
    const wire = new RTVI();
    expect(parsed([wire.picture(STILL, 'What is it?', ASKED), wire.context('page 3', 'user'), wire.context('late', 'system'), wire.keys('1#')].flat())).toMatchObject([
      {
        type: 'send-file',
        data: { content: 'What is it?', file: { format: 'image/jpeg', source: { type: 'bytes', bytes: '/9j/', width: 160, height: 90 } }, options: { run_immediately: true } },
      },
      { type: 'send-text', data: { content: 'page 3', options: { run_immediately: false, audio_response: false } } },
      { type: 'client-message', data: { t: 'append-to-context', d: { role: 'system', content: 'late' } } },
      { type: 'dtmf', data: { buttons: ['1', '#'] } },
    ]);
    expect(parsed(wire.talk(true))).toMatchObject([{ data: { t: 'push-to-talk', d: { pressed: true } } }]);
    rtvi(wire, ['bot-started-speaking']);
    expect(parsed(wire.talk(true)).map(({ data }) => data.t)).toEqual(['interrupt', 'push-to-talk']);
    expect(parsed(wire.talk(false))).toMatchObject([{ data: { d: { pressed: false } } }]);
    expect(wire.session()).toEqual([]);
  });
});

describe('OpenAI Realtime', () => {
  it('tells a whole turn', () => {
    expect(
      openai(
        new OpenAIRealtime(),
        ['session.created'],
        ['input_audio_buffer.speech_started'],
        ['input_audio_buffer.speech_stopped'],
        ['conversation.item.input_audio_transcription.delta', { item_id: '1', delta: 'Good ' }],
        ['conversation.item.input_audio_transcription.delta', { item_id: '1', delta: 'day' }],
        ['conversation.item.input_audio_transcription.completed', { item_id: '1', transcript: 'Good day' }],
        ['response.created'],
        ['response.output_audio_transcript.delta', { delta: 'And to ' }],
        ['output_audio_buffer.started'],
        ['response.output_audio_transcript.delta', { delta: 'you' }],
        ['response.done', { response: { status: 'completed' } }],
        ['output_audio_buffer.stopped'],
      ),
    ).toEqual([
      ['connected'],
      ['user-started-speaking'],
      ['user-stopped-speaking'],
      ['user-transcript', { transcript: 'Good ', final: false }],
      ['user-transcript', { transcript: 'Good day', final: false }],
      ['user-transcript', { transcript: 'Good day', final: true }],
      ['ai-thinking'],
      speaking('And to '),
      speaking('And to you'),
      ['ai-idle', { interrupted: false }],
    ]);
  });

  it('carries out functions and sends what they return', () => {
    const wire = new OpenAIRealtime();
    const [event] = openai(wire, ['response.function_call_arguments.done', { name: 'f', call_id: 'c', arguments: '{"x":1}' }]);
    expect(event).toMatchObject(['function-call', { status: 'in-progress', name: 'f', callId: 'c', arguments: { x: 1 } }]);
    const sent = wire.functionResult(event![1] as never, { y: 2 }).map((text) => JSON.parse(text));
    expect(sent).toEqual([
      { type: 'conversation.item.create', item: { type: 'function_call_output', call_id: 'c', output: '{"y":2}' } },
      { type: 'response.create' },
    ]);
  });

  it('shows pictures, tells context, presses keys and the button', () => {
    const wire = new OpenAIRealtime();
    const shown = { type: 'input_image', image_url: 'data:image/jpeg;base64,/9j/' };
    expect(parsed(wire.picture(STILL, 'What?', ASKED))).toMatchObject([
      { item: { role: 'user', content: [shown, { type: 'input_text', text: 'What?' }] } },
      { type: 'response.create', response: { output_modalities: ['audio'] } },
    ]);
    expect(parsed(wire.picture(STILL, '', { respond: false, speak: true }))).toMatchObject([{ item: { content: [shown] } }]);
    expect(parsed(wire.context('late', 'system'))).toMatchObject([{ item: { role: 'system', content: [{ type: 'input_text', text: 'late' }] } }]);
    expect(parsed(wire.keys('1#'))).toMatchObject([{ item: { content: [{ text: 'DTMF: 1#' }] } }, { type: 'response.create' }]);
    expect(parsed([wire.talk(true), wire.talk(false)].flat()).map(({ type }) => type)).toEqual([
      'input_audio_buffer.clear',
      'input_audio_buffer.commit',
      'response.create',
    ]);
  });

  it('declares functions and the button to the session', () => {
    const wire = new OpenAIRealtime();
    const known = { name: 'f', description: 'd', parameters: { type: 'object' }, call: () => 1, timeoutS: 1, declare: true };
    expect(wire.session(null, false)).toEqual([]);
    expect(parsed(wire.session(null, true))).toEqual([{ type: 'session.update', session: { type: 'realtime', audio: { input: { turn_detection: null } } } }]);
    expect(parsed(wire.session([known], false))[0].session.tools).toEqual([{ type: 'function', name: 'f', description: 'd', parameters: { type: 'object' } }]);
    expect(parsed(wire.session([], false))[0].session).toEqual({ type: 'realtime', tools: [] });
  });

  it('interrupts only what is going on', () => {
    const wire = new OpenAIRealtime();
    expect(wire.interrupt()).toEqual([]);
    openai(wire, ['response.created']);
    expect(wire.interrupt().map((text) => JSON.parse(text).type)).toEqual(['response.cancel', 'output_audio_buffer.clear']);
    expect(openai(wire, ['output_audio_buffer.cleared'])).toEqual([['ai-idle', { interrupted: true }]]);
  });

  it('tells errors, and which of them end the conversation', () => {
    const [first, second] = openai(new OpenAIRealtime(), ['error', { error: { message: 'what?' } }], ['error', { error: { code: 'session_expired' } }]);
    expect([first![1], second![1]]).toMatchObject([{ code: 'SERVER_ERROR', message: 'what?' }, { code: 'CONVERSATION_ENDED' }]);
  });
});

it('what JSON cannot hold is refused', () => {
  const round: Record<string, unknown> = {};
  round['self'] = round;
  for (const wire of [new RTVI(), new OpenAIRealtime()]) {
    for (const value of [{ n: 1n }, round]) {
      expect(() => wire.message('x', value)).toThrow(expect.objectContaining({ code: 'INVALID_OPTION', message: expect.stringContaining('what JSON cannot') }));
    }
  }
});

it('a token says when it expires, if it is one', () => {
  const token = (payload: string) => `e30.${Buffer.from(payload).toString('base64url')}.s`;
  expect(tokenExpiry(token('{"exp":12,"name":"Zoë???>>>"}'))).toBe(12);
  for (const none of ['', 'eyJ...', 'a.b.c', token('{}'), token('{"exp":"x"}'), token('null')]) expect(tokenExpiry(none)).toBeNull();
});
