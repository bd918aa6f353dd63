import { INITIAL_STATE, type ErrorCode } from '@spike/client';
import { beforeEach, describe, expect, it, vi } from 'vitest';
import { Refused, openConversation, takeCode } from '../src/invitation';
import { moodOf } from '../src/mood';
import { transcript, type Happening, type Line } from '../src/transcript';
import { TurnClock, total } from '../src/turnclock';
import { noticeOf, noticeOfRefusal } from '../src/words';

describe('the transcript', () => {
  const after = (...happenings: Happening[]) => happenings.reduce<Line[]>(transcript, []).map(({ who, text, state }) => `${who} ${state}: ${text}`);

  it('grows line by line, on both sides', () => {
    expect(
      after(
        { type: 'ai', text: '' },
        { type: 'ai', text: 'Front' },
        { type: 'ai', text: 'Front desk.' },
        { type: 'idle', interrupted: false },
        { type: 'you', text: 'hello', final: false },
        { type: 'you', text: 'hello there', final: true },
        { type: 'ai', text: 'Hello' },
        { type: 'idle', interrupted: true },
        { type: 'you', text: 'stop', final: false },
      ),
    ).toEqual(['ai done: Front desk.', 'you done: hello there', 'ai interrupted: Hello', 'you growing: stop']);
  });

  it('stays the same where nothing new is said', () => {
    const lines = transcript([], { type: 'ai', text: 'Hi' });
    expect(transcript(lines, { type: 'ai', text: 'Hi' })).toBe(lines);
    expect(transcript(lines, { type: 'clear' })).toEqual([]);
  });
});

describe('the delay of a turn', () => {
  it('is measured by part', () => {
    const clock = new TurnClock();
    clock.onUserStarted();
    clock.onLoud(1000);
    clock.onUserStopped(1500);
    clock.onUnderstood(1600);
    expect(clock.onHeard(1650)).toBeNull();
    clock.onSpeaking(1700);
    clock.onSpeaking(1800);
    const delay = clock.onHeard(1780)!;
    expect(delay).toEqual({ noticing: 500, understanding: 100, answering: 100, travelling: 80 });
    expect(total(delay)).toBe(780);
    expect(clock.onHeard(1800)).toBeNull();
  });

  it('counts no words that came after the answer began, and no turn that was typed', () => {
    const clock = new TurnClock();
    clock.onSpeaking(100);
    expect(clock.onHeard(200)).toBeNull();
    clock.onUserStopped(1000);
    clock.onSpeaking(1200);
    clock.onUnderstood(1300);
    expect(clock.onHeard(1250)).toEqual({ noticing: 0, understanding: 0, answering: 200, travelling: 50 });
  });

  it('begins anew when the user goes on', () => {
    const clock = new TurnClock();
    clock.onUserStopped(1000);
    clock.onUserStarted();
    clock.onSpeaking(1100);
    expect(clock.onHeard(1200)).toBeNull();
  });
});

it('each state has its mood', () => {
  const mood = (change: object, awaiting = false) => moodOf({ ...INITIAL_STATE, status: 'connected', isConnected: true, ...change }, awaiting);
  expect([
    moodOf(INITIAL_STATE),
    mood({ status: 'connecting', isConnected: false }),
    mood({ status: 'reconnecting', isConnected: false }),
    mood({}),
    mood({ isUserSpeaking: true }),
    mood({}, true),
    mood({ isAIThinking: true }),
    mood({ isAISpeaking: true }),
    mood({ audioEnabled: false }),
  ]).toEqual(['off', 'connecting', 'connecting', 'listening', 'hearing', 'thinking', 'thinking', 'speaking', 'muted']);
});

it('each failure has words that say what to do', () => {
  const codes: ErrorCode[] = [
    'CONNECTION_FAILED', 'CONVERSATION_ENDED', 'DEVICE_IN_USE', 'DEVICE_NOT_FOUND', 'INVALID_OPTION', 'INVALID_STATE',
    'MEDIA_PERMISSION_DENIED', 'SERVER_ERROR', 'TOKEN_EXPIRED',
  ];
  for (const code of codes) {
    const notice = noticeOf({ code, message: 'the camera is asleep' }, true);
    expect(notice.title && notice.advice).toBeTruthy();
    expect(`${notice.title}${notice.advice}`).not.toContain(code);
  }
  expect(noticeOf({ code: 'MEDIA_PERMISSION_DENIED', message: 'microphone' }, false).advice).toContain('https');
  expect([401, 503, 0].map((status) => noticeOfRefusal(status).title)).toEqual([
    'This invitation is not valid any more.', 'All seats are taken.', 'The server cannot be reached.',
  ]);
});

describe('an invitation', () => {
  const answers = (...statuses: number[]) => {
    const fetch = vi.fn(async () => {
      const status = statuses.shift()!;
      return new Response(JSON.stringify({ conversation_url: 'u', token: 't', invitation: 'next' }), { status });
    });
    vi.stubGlobal('fetch', fetch);
    return fetch as unknown as { mock: { calls: [string, { headers: Record<string, string> }][] } };
  };

  beforeEach(() => {
    sessionStorage.clear();
    location.hash = '';
  });

  it('leaves the address, opens a conversation, and is followed by the next one', async () => {
    location.hash = '#first';
    takeCode();
    expect(location.hash).toBe('');
    const fetch = answers(201, 201);
    expect(await openConversation()).toEqual({ conversationUrl: 'u', token: 't' });
    await openConversation();
    expect(fetch.mock.calls.map(([, { headers }]) => headers['authorization'])).toEqual(['Bearer first', 'Bearer next']);
  });

  it('that was used is tried without, as far as the server lets anybody in', async () => {
    location.hash = '#used';
    takeCode();
    const fetch = answers(401, 401);
    await expect(openConversation()).rejects.toEqual(new Refused(401));
    expect(fetch.mock.calls.map(([, { headers }]) => headers['authorization'])).toEqual(['Bearer used', undefined]);
  });

  it('is nothing where the server is not there', async () => {
    vi.stubGlobal('fetch', () => Promise.reject(new TypeError('no')));
    await expect(openConversation()).rejects.toEqual(new Refused(0));
  });
});
