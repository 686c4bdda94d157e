import { describe, expect, it } from 'vitest';
import { incompleteWord } from './incomplete';

describe('an answer that does not hold everything', () => {
  const word = (...kinds: string[]) => incompleteWord(kinds.map((kind) => ({ kind })));

  it('is sampled where nothing is missing, and incomplete where something is', () => {
    expect(word('sampled')).toBe('sampled');
    expect(word('sampled', 'lost')).toBe('incomplete');
    expect(word('cut')).toBe('incomplete');
  });
});
