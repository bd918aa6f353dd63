import { connectionFailed, errorOfStatus } from './errors';
import { parseObject, type Fields } from './wire';

/** One request with the conversation's token; a status that is no success is the error that it means. */
export async function request(
  method: string,
  url: string,
  { token, body, type = 'application/json', signal }: { token: string; body: string; type?: string; signal: AbortSignal },
): Promise<Response> {
  const headers = { authorization: `Bearer ${token}`, 'content-type': type };
  let response: Response;
  try {
    // No cookies go along, and no address of the page; the token goes nowhere but to the address that was given.
    response = await fetch(url, { method, headers, body, signal, credentials: 'omit', referrerPolicy: 'no-referrer', redirect: 'error' });
  } catch (error) {
    throw connectionFailed(`${new URL(url).host} could not be reached: ${String(error)}`);
  }
  if (!response.ok) throw errorOfStatus(response.status, await response.text().catch(() => ''));
  return response;
}

export async function requestJson(method: string, url: string, body: Fields, token: string, signal: AbortSignal): Promise<Fields> {
  const response = await request(method, url, { token, body: JSON.stringify(body), signal });
  const content = await response.text();
  const object = parseObject(content);
  if (!object) throw connectionFailed(`the server's answer is no JSON object: ${content.slice(0, 80)}`);
  return object;
}
