// Types that every way of resolving modules finds: Node's own wants the endings of files, which the sources leave out.
import { readFileSync, readdirSync, writeFileSync } from 'node:fs';

for (const name of readdirSync('dist').filter((each) => each.endsWith('.d.ts'))) {
  const types = readFileSync(`dist/${name}`, 'utf8');
  writeFileSync(`dist/${name}`, types.replace(/((?:from|import\()\s*')(\.\/[\w/]+)(?=')/g, '$1$2.js'));
}
