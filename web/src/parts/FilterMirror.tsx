// The coloured text behind the search box. The input above it is transparent and holds the caret.
import { tokenize, type Token } from '../domain/filterText';
import classes from './FilterBar.module.css';

interface FilterMirrorProps {
  text: string;
  /** Where the server stopped understanding, in characters. */
  problemAt: number | null;
  scroll: number;
}

function isProblem(token: Token, at: number | null, length: number): boolean {
  if (at === null) return false;
  if (at >= length) return token.end === length;
  return token.start <= at && at < token.end;
}

export function FilterMirror({ text, problemAt, scroll }: FilterMirrorProps) {
  return (
    <div className={classes.mirror} aria-hidden>
      <span style={{ transform: `translateX(${-scroll}px)` }} className={classes.mirrorText}>
        {tokenize(text).map((token) => (
          <span
            key={token.start}
            data-kind={token.kind}
            data-problem={isProblem(token, problemAt, text.length) || undefined}
          >
            {token.text}
          </span>
        ))}
      </span>
    </div>
  );
}
