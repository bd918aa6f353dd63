/** One turn of the conversation, as it is shown. */
export interface Line {
  id: number;
  who: 'you' | 'ai';
  text: string;
  state: 'growing' | 'done' | 'interrupted';
}

export type Happening =
  | { type: 'you'; text: string; final: boolean }
  | { type: 'ai'; text: string }
  | { type: 'idle'; interrupted: boolean }
  | { type: 'clear' };

/** The lines after something was said. */
export function transcript(lines: Line[], happening: Happening): Line[] {
  switch (happening.type) {
    case 'clear':
      return [];
    case 'you':
      return grow(lines, 'you', happening.text, happening.final ? 'done' : 'growing');
    case 'ai':
      return happening.text ? grow(lines, 'ai', happening.text, 'growing') : lines;
    case 'idle':
      return lines.map((line) =>
        line.who === 'ai' && line.state === 'growing' ? { ...line, state: happening.interrupted ? 'interrupted' : 'done' } : line,
      );
  }
}

function grow(lines: Line[], who: Line['who'], text: string, state: Line['state']): Line[] {
  const open = lines.findLast((line) => line.who === who && line.state === 'growing');
  if (!open) return [...lines, { id: (lines.at(-1)?.id ?? 0) + 1, who, text, state }];
  if (open.text === text && open.state === state) return lines;
  return lines.map((line) => (line === open ? { ...line, text, state } : line));
}
