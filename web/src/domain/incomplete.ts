// What an answer that does not hold everything is called. Pure.

interface Reason {
  kind: string;
}

/** Nothing is missing: everything is counted, and some of what it was like is estimated. */
export function isOnlySampled(reasons: readonly Reason[]): boolean {
  return reasons.length > 0 && reasons.every(({ kind }) => kind === 'sampled');
}

export function incompleteWord(reasons: readonly Reason[]): 'sampled' | 'incomplete' {
  return isOnlySampled(reasons) ? 'sampled' : 'incomplete';
}
