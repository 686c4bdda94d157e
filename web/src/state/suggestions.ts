// What may come next in the filter: fields from the schema, values from what was observed.
import {
  suggestKeys,
  suggestValues,
  filterField,
  type CaretPlace,
  type Suggestion,
} from '../domain/completion';
import { facetOf } from '../api/types';
import { useFacets } from './queries';
import { useView } from './view';

const suggestionsMax = 40;

export function useSuggestions(place: CaretPlace, wanted: boolean): Suggestion[] {
  const { scope, asked } = useView();
  const key = place.kind === 'value' ? place.key : '';
  const field = filterField(scope.layer, key);
  const hasValues = wanted && field !== undefined && field.is_key;
  const facets = useFacets({ ...scope, filter: '' }, hasValues ? [key] : [], {
    enabled: hasValues,
  });
  if (place.kind === 'key') return suggestKeys(scope.layer, asked, place.prefix, suggestionsMax);
  return suggestValues(facetOf(facets.data, key)?.values ?? [], place.prefix, suggestionsMax);
}
