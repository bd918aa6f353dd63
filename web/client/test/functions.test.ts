import { describe, expect, it, vi } from 'vitest';
import { SpikeClient } from '../src';
import { misfit, outcomeOf, type PageFunction } from '../src/functions';

const WEATHER = {
  type: 'object',
  properties: { city: { type: 'string' }, unit: { enum: ['C', 'F'] }, days: { type: 'array', items: { type: 'integer' } } },
  required: ['city'],
  additionalProperties: false,
};
const given = (call: (args: any) => unknown, more: Partial<PageFunction> = {}): PageFunction => ({
  call, name: 'weather', description: '', parameters: WEATHER, timeoutS: 1, declare: true, ...more,
});
const called = (args: Record<string, unknown>) =>
  ({ status: 'in-progress', name: 'weather', callId: '1', arguments: args, result: null, cancelled: false }) as const;

describe('arguments', () => {
  it.each<[unknown, string | null]>([
    [{ city: 'Ulm' }, null],
    [{ city: 'Ulm', unit: 'C', days: [1, 2] }, null],
    [{}, 'missing arguments: city'],
    [{ city: 3 }, 'city must be of type string, not 3'],
    [{ city: 'Ulm', unit: 'K' }, 'unit must be one of "C", "F", not "K"'],
    [{ city: 'Ulm', days: [1, 2.5] }, 'days[1] must be of type integer, not 2.5'],
    [{ city: 'Ulm', when: 1 }, 'unknown arguments: when; it takes city, unit, days'],
  ])('%j', (args, wrong) => expect(misfit('', WEATHER, args)).toBe(wrong));

  it('may be of one of several types, and nested', () => {
    const either = { anyOf: [{ type: 'string' }, { type: 'null' }] };
    expect([misfit('x', either, null), misfit('x', either, 1)]).toEqual([null, 'x must be of type string, not 1; or x must be of type null, not 1']);
    const nested = { type: 'object', properties: { at: { type: ['number', 'null'] } }, additionalProperties: { type: 'boolean' } };
    expect([misfit('where', nested, { at: 1, on: true }), misfit('where', nested, { on: 1 })]).toEqual([null, 'where.on must be of type boolean, not 1']);
    expect(misfit('where', nested, { at: NaN })).toContain('where.at must be of type number or null');
    expect(misfit('', {}, { anything: 1 })).toBeNull();
  });
});

describe('what the AI is told', () => {
  it('is what the function returns', async () => {
    expect(await outcomeOf(given(({ city }) => `sun in ${city}`), called({ city: 'Ulm' }))).toBe('sun in Ulm');
    expect(await outcomeOf(given(async () => undefined), called({ city: 'Ulm' }))).toBeNull();
  });

  it('is why it returns nothing', async () => {
    const log = vi.spyOn(console, 'error').mockImplementation(() => undefined);
    const told = async (call: () => unknown, args: Record<string, unknown> = { city: 'Ulm' }) => outcomeOf(given(call, { timeoutS: 0.01 }), called(args));
    expect(await told(() => 1, {})).toEqual({ error: 'missing arguments: city' });
    expect(await told(() => { throw new Error('no sun'); })).toEqual({ error: 'no sun' });
    expect(await told(() => new Promise(() => undefined))).toEqual({ error: 'no answer within 0.01 s' });
    expect(await told(() => 1n)).toMatchObject({ error: expect.stringContaining('BigInt') });
    expect(await told(() => () => 1)).toEqual({ error: 'weather returned what cannot be sent' });
    log.mockRestore();
  });
});

it('what is no function, or has no name, is refused', () => {
  const client = new SpikeClient({ conversationUrl: 'https://example.org/', token: 't' });
  expect(() => client.registerFunction('weather' as never)).toThrow('a function must be one, not string');
  expect(() => client.registerFunction(() => 1)).toThrow('a function is named by 1 to 64 letters, digits, _ and -, not ""');
  expect(() => client.registerFunction(() => 1, { name: 'x', timeoutS: 0 })).toThrow('timeoutS must be a number of seconds above 0, not 0');
  client.registerFunction(function weather() {});
  client.unregisterFunction('weather');
  client.unregisterFunction('never');
});
