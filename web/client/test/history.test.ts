import { expect, it } from 'vitest';
import type { Event } from '../src/events';
import { History } from '../src/history';

function historyOf(events: [atS: number, ...event: Event][], ahead = false) {
  const history = new History();
  for (const [atS, ...event] of events) history.add(event as Event, atS, ahead);
  return history.turns;
}
const says = (transcript: string): Event => ['ai-speaking', { transcript, audioLevel: 0 }];
const user = (transcript: string, final = true): Event => ['user-transcript', { transcript, final }];
const idle = (interrupted = false): Event => ['ai-idle', { interrupted }];

it('each word has the time at which it came', () => {
  const turns = historyOf([
    [0, 'user-started-speaking'],
    [0.5, ...user('good', false)],
    [0.9, ...user('good day', false)],
    [1, 'user-stopped-speaking'],
    [1.1, ...user('Good day')],
    [1.5, ...says('And')],
    [1.9, ...says('And to you')],
    [2.4, ...idle()],
  ]);
  expect(turns).toMatchObject([
    { speaker: 'user', text: 'Good day', words: [{ text: 'Good', atS: 1.1 }, { text: 'day', atS: 0.9 }], beganS: 0, endedS: 1 },
    { speaker: 'ai', text: 'And to you', beganS: 1.5, endedS: 2.4, heard: 'And to you', interrupted: false, estimated: false },
  ]);
  expect(turns[1]!.words.map(({ atS }) => atS)).toEqual([1.5, 1.9, 1.9]);
});

it('a turn that goes on is there already, and who says nothing has none', () => {
  expect(historyOf([[0, 'user-started-speaking'], [1, 'user-started-speaking'], [3, ...says('Once')]])).toMatchObject([
    { speaker: 'user', text: '', endedS: null },
    { speaker: 'ai', text: 'Once', endedS: null },
  ]);
  const over: Event = ['disconnected', 'network', { willReconnect: true }];
  expect(historyOf([[0, 'user-started-speaking'], [2, ...says('Once')], [3, ...over]])).toMatchObject([{ text: 'Once', interrupted: true, endedS: 3 }]);
});

it('of words that come with the voice all were heard', () => {
  const [turn] = historyOf([[0, ...says('Once')], [0.4, ...says('Once upon')], [0.5, ...idle(true)]]);
  expect(turn).toMatchObject({ heard: 'Once upon', interrupted: true, estimated: false });
});

it('of words that come before the voice those were heard that there was time for, at the pace of the AI', () => {
  const story = 'Once upon a time there was a browser'; // 36 characters
  const interrupted: [number, ...Event][] = [[0, ...says(story)], [1, ...idle(true)]];
  expect(historyOf(interrupted, true)[0]).toMatchObject({ text: story, heard: 'Once upon a', estimated: true });
  const slow: [number, ...Event][] = [[0, ...says(story)], [6, ...idle()], [10, ...says(story)], [11, ...idle(true)]];
  expect(historyOf(slow, true)[1]!.heard).toBe('Once');
});
