// The coloured text behind the search box. The input above it is transparent and holds the caret.
import type { Problem } from '../api/client';
import { tokenize, type Token } from '../domain/filterText';
import classes from './FilterBar.module.css';

interface FilterMirrorProps {
  text: string;
  /** What the server could not read, and where. */
  problem: Problem | null;
  scroll: number;
}

function isWrong(token: Token, problem: Problem | null, length: number): boolean {
  if (problem?.position === null || problem === null) return false;
  const from = Math.min(problem.position, Math.max(0, length - 1));
  const to = Math.max(from + 1, problem.position + problem.length);
  return token.start < to && token.end > from;
}

export function FilterMirror({ text, problem, scroll }: FilterMirrorProps) {
  return (
    <div className={classes.mirror} aria-hidden>
      <span style={{ transform: `translateX(${-scroll}px)` }} className={classes.mirrorText}>
        {tokenize(text).map((token) => (
          <span
            key={token.start}
            data-kind={token.kind}
            data-problem={isWrong(token, problem, text.length) || undefined}
          >
            {token.text}
          </span>
        ))}
      </span>
    </div>
  );
}
