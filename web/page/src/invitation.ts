const KEY = 'spike-invitation';

/** What opens a conversation. */
export interface Invitation {
  conversationUrl: string;
  token: string;
}

/** Why there is no conversation, with the status of the server; 0 where it did not answer. */
export class Refused extends Error {
  constructor(readonly status: number) {
    super(`no conversation (${status})`);
  }
}

/** Take the code out of the address, so that neither history nor a shared link keeps it. */
export function takeCode(): void {
  const code = location.hash.slice(1);
  if (!code) return;
  sessionStorage.setItem(KEY, code);
  history.replaceState(null, '', location.pathname);
}

/** A new conversation: with the code where there is one, else as the server lets anybody. */
export async function openConversation(): Promise<Invitation> {
  const code = sessionStorage.getItem(KEY);
  let answer = await post(code);
  if (answer.status === 401 && code) {
    sessionStorage.removeItem(KEY);
    answer = await post(null);
  }
  if (!answer.ok) throw new Refused(answer.status);
  const { conversation_url: conversationUrl, token, invitation } = (await answer.json()) as Record<string, string>;
  if (invitation) sessionStorage.setItem(KEY, invitation);
  return { conversationUrl: conversationUrl!, token: token! };
}

async function post(code: string | null): Promise<Response> {
  try {
    return await fetch('/conversations', { method: 'POST', headers: code ? { authorization: `Bearer ${code}` } : {} });
  } catch {
    throw new Refused(0);
  }
}
