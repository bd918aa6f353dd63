import type { FunctionCall } from './events';
import { isFields, type Fields } from './wire';

/** What the AI is told of a function, and how it is called. Only the first two have no default. */
export interface FunctionOptions {
  /** Under which the AI calls it; by default the function's own name. */
  name?: string;
  /** What it does, for the AI. */
  description?: string;
  /** JSON Schema of an object: its arguments. Without it, anything goes. */
  parameters?: Record<string, unknown>;
  /** How long it may take. */
  timeoutS?: number;
  /**
   * Tell OpenAI's session of it, beside the other declared functions and in place of what the session was made with. An
   * RTVI bot always knows its functions by itself.
   */
  declare?: boolean;
}

/** A function of the page, as it was registered. */
export interface PageFunction extends Required<FunctionOptions> {
  call: (args: any) => unknown;
}

/** What `given` returns for `call`, or `{ error: why }`, which the AI is told. Never rejects. */
export async function outcomeOf(given: PageFunction, call: FunctionCall): Promise<unknown> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  try {
    const wrong = misfit('', given.parameters, call.arguments);
    if (wrong) return { error: wrong };
    const tooLong = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(new Error(`no answer within ${given.timeoutS} s`)), given.timeoutS * 1000);
    });
    const result = (await Promise.race([given.call(call.arguments), tooLong])) ?? null;
    if (JSON.stringify(result) === undefined) throw new TypeError(`${given.name} returned what cannot be sent`);
    return result;
  } catch (error) {
    console.error(`the function ${given.name} failed:`, error);
    return { error: error instanceof Error ? error.message : String(error) };
  } finally {
    clearTimeout(timer);
  }
}

const IS: Record<string, (value: unknown) => boolean> = {
  string: (value) => typeof value === 'string',
  boolean: (value) => typeof value === 'boolean',
  number: Number.isFinite,
  integer: Number.isInteger,
  null: (value) => value === null,
  array: Array.isArray,
  object: isFields,
};

/**
 * Where `value` does not fit `schema`, as a sentence for the AI; null where it does.
 *
 * The part of JSON Schema (draft 2020-12) that models are trained on: `type`, `enum`, `items`, `properties`, `required`,
 * `additionalProperties` and `anyOf`. Everything else is left to the function.
 */
export function misfit(at: string, schema: unknown, value: unknown): string | null {
  if (!isFields(schema)) return null;
  const { type, enum: accepted, anyOf, items } = schema;
  const what = () => `${at || 'arguments'} must be`;
  const shown = () => JSON.stringify(value)?.slice(0, 80);
  if (Array.isArray(anyOf)) {
    const misfits = anyOf.map((each) => misfit(at, each, value));
    if (!misfits.includes(null)) return misfits.join('; or ');
  }
  const types = (Array.isArray(type) ? type : [type]) as string[];
  if (type && !types.some((each) => !IS[each] || IS[each](value))) return `${what()} of type ${types.join(' or ')}, not ${shown()}`;
  if (Array.isArray(accepted) && !accepted.includes(value)) {
    return `${what()} one of ${accepted.map((each) => JSON.stringify(each)).join(', ')}, not ${shown()}`;
  }
  if (Array.isArray(value)) return first(value.map((each, index) => misfit(`${at}[${index}]`, items, each)));
  return isFields(value) ? misfitOfObject(at, schema, value) : null;
}

function misfitOfObject(at: string, schema: Fields, value: Fields): string | null {
  const properties = isFields(schema['properties']) ? schema['properties'] : {};
  const required = Array.isArray(schema['required']) ? (schema['required'] as string[]) : [];
  const missing = required.filter((name) => !Object.hasOwn(value, name));
  if (missing.length) return `missing arguments: ${missing.join(', ')}`;
  const others = schema['additionalProperties'];
  const unknown = Object.keys(value).filter((name) => !Object.hasOwn(properties, name));
  if (others === false && unknown.length) {
    return `unknown arguments: ${unknown.join(', ')}; it takes ${Object.keys(properties).join(', ') || 'none'}`;
  }
  const path = (name: string) => (at ? `${at}.${name}` : name);
  return first(Object.entries(value).map(([name, each]) => misfit(path(name), properties[name] ?? others, each)));
}

const first = (misfits: (string | null)[]): string | null => misfits.find((each) => each !== null) ?? null;
