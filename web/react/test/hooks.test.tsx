import { SpikeClient, SpikeError, type Event } from '@spike/client';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { StrictMode, act, createElement as h, useState, version, type ReactNode } from 'react';
import { createRoot } from 'react-dom/client';
import * as hooks from '../src';

/** React of the version that this run is for. */
async function mount(node: ReactNode) {
  const container = document.body.appendChild(document.createElement('div'));
  const root = createRoot(container);
  await does(() => root.render(node));
  return { container, unmount: () => does(() => root.unmount()) };
}

const does = (work: () => unknown) => act(async () => void (await work()));

const OPTIONS = { conversationUrl: 'https://example.org/conversations/1', token: 't' };
const emit = (client: SpikeClient | null, ...event: Event) => (client as unknown as { emit(event: Event): void }).emit(event);

(globalThis as { IS_REACT_ACT_ENVIRONMENT?: boolean }).IS_REACT_ACT_ENVIRONMENT = true;

describe(`React ${version}`, () => {
  afterEach(() => {
    document.body.replaceChildren();
    vi.restoreAllMocks();
  });

  it('both hooks show the same conversation, under StrictMode', async () => {
    let client: SpikeClient | null = null;
    const Outer = () => {
      const conversation = hooks.useConversation(OPTIONS);
      client = conversation.client;
      return h('p', null, conversation.isAISpeaking ? `AI: ${conversation.aiTranscript}` : 'Listening...', h(Inner));
    };
    const Inner = () => h('b', null, hooks.useSpikeConversation().userTranscript);
    const { container, unmount } = await mount(h(StrictMode, null, h(hooks.SpikeProvider, null, h(Outer))));
    expect(container.textContent).toBe('Listening...');
    await does(() => {
      emit(client, 'user-transcript', { transcript: 'hello', final: true });
      emit(client, 'ai-speaking', { transcript: 'Hi there', audioLevel: 0.1 });
    });
    expect(container.textContent).toBe('AI: Hi therehello');
    await unmount();
  });

  it('keeps its functions and its client from one rendering to the next, and leaves at the end', async () => {
    const seen: hooks.Conversation[] = [];
    const onError = vi.fn();
    const App = () => {
      seen.push(hooks.useConversation({ ...OPTIONS, onError: (error) => onError(error.code) }));
      return null;
    };
    const { unmount } = await mount(h(StrictMode, null, h(hooks.SpikeProvider, null, h(App))));
    await does(() => emit(seen.at(-1)!.client, 'error', new SpikeError('SERVER_ERROR', 'x')));
    const [first, last] = [seen.at(-2)!, seen.at(-1)!];
    expect(last.client).toBe(first.client);
    expect(last.join).toBe(first.join);
    expect(last.error!.code).toBe('SERVER_ERROR');
    expect(onError.mock.calls).toEqual([['SERVER_ERROR']]);
    const leave = vi.spyOn(last.client!, 'leave');
    await unmount();
    expect(leave).toHaveBeenCalled();
  });

  it('takes another client for other options, and none for null', async () => {
    const clients: (SpikeClient | null)[] = [];
    let change: (token: string | null) => void = () => undefined;
    const App = () => {
      const [token, setToken] = useState<string | null>(null);
      change = setToken;
      clients.push(hooks.useConversation(token === null ? null : { ...OPTIONS, token }).client);
      return null;
    };
    await mount(h(hooks.SpikeProvider, null, h(App)));
    expect(clients.at(-1)).toBeNull();
    await does(() => change('one'));
    const one = clients.at(-1)!;
    const leave = vi.spyOn(one, 'leave');
    await does(() => change('two'));
    expect(clients.at(-1)!.options.token).toBe('two');
    expect(leave).toHaveBeenCalled();
  });

  it('a join that fails is in the error, and rejects nothing', async () => {
    const App = () => {
      const { join, error } = hooks.useConversation({ ...OPTIONS, token: `e30.${btoa('{"exp":1}')}.x` });
      return h('button', { onClick: join }, error?.code ?? 'join');
    };
    const { container } = await mount(h(hooks.SpikeProvider, null, h(App)));
    await does(() => container.querySelector('button')!.click());
    expect(container.textContent).toBe('TOKEN_EXPIRED');
  });

  it('shows the picture, and a button where the browser wants a click', async () => {
    let client: SpikeClient | null = null;
    const App = () => {
      client = hooks.useConversation(OPTIONS).client;
      return h('div', null, h(hooks.AIVideo, { className: 'face' }), h(hooks.PlaybackButton));
    };
    const { container } = await mount(h(hooks.SpikeProvider, null, h(App)));
    const video = container.querySelector('video')!;
    expect([video.autoplay, video.className, video.srcObject, container.querySelector('button')]).toEqual([true, 'face', null, null]);
    const track = Object.create(MediaStreamTrack.prototype, { kind: { value: 'video' } }) as MediaStreamTrack;
    await does(() => emit(client, 'ai-track', track));
    expect(video.srcObject).toBeInstanceOf(MediaStream);
    await does(() => emit(client, 'playback-blocked'));
    const start = vi.spyOn(client!, 'startPlayback').mockResolvedValue(undefined);
    await does(() => container.querySelector('button')!.click());
    expect(start).toHaveBeenCalled();
  });

  it('tells events to the newest handler', async () => {
    let client: SpikeClient | null = null;
    const told: string[] = [];
    const Listener = () => {
      const [count, setCount] = useState(0);
      hooks.useConversationEvent('ai-idle', ({ interrupted }) => {
        told.push(`${count} ${interrupted}`);
        setCount(count + 1);
      });
      return null;
    };
    const App = () => {
      client = hooks.useConversation(OPTIONS).client;
      return h(Listener);
    };
    await mount(h(hooks.SpikeProvider, null, h(App)));
    await does(() => emit(client, 'ai-idle', { interrupted: false }));
    await does(() => emit(client, 'ai-idle', { interrupted: true }));
    expect(told).toEqual(['0 false', '1 true']);
  });

  it('says what is missing without a provider', async () => {
    vi.spyOn(console, 'error').mockImplementation(() => undefined);
    const App = () => h('p', null, hooks.useSpikeConversation().status);
    await expect(mount(h(App))).rejects.toThrow('need a <SpikeProvider>');
  });
});
