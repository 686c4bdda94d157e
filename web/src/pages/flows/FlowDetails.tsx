// Everything known about one flow or request; each fact can be filtered for or out.
import { ActionIcon, Button, Tooltip } from '@mantine/core';
import { IconFilterMinus, IconFilterPlus } from '@tabler/icons-react';
import { useNavigate } from '@tanstack/react-router';
import type { FlowRow } from '../../api/types';
import { encodeDetails } from '../../domain/details';
import type { Entity } from '../../domain/entity';
import { addClauses } from '../../domain/filterEdit';
import { searchFor, type ViewSearch } from '../../domain/search';
import { flowEnds, flowFacts, flowTimeMs, type FlowFact } from '../../domain/flow';
import { fillLinks, requestValues } from '../../domain/links';
import { CopyButton } from '../../parts/EntityLabel';
import { OutsideLinks } from '../../parts/OutsideLinks';
import { useLinks } from '../../state/queries';
import { useView } from '../../state/view';
import classes from './flows.module.css';

export function FlowDetails({ row }: { row: FlowRow }) {
  const { view, setView } = useView();
  const navigate = useNavigate();
  const { client, server } = flowEnds(row, view.level);
  const details = encodeDetails({ kind: 'pair', client: client.entity, server: server.entity });
  return (
    <div className={classes.details}>
      <div className={classes.detailsActions}>
        <Button variant="default" size="compact-sm" onClick={() => setView({ details })}>
          Open this pair
        </Button>
        <Button
          variant="subtle"
          size="compact-sm"
          onClick={() =>
            void navigate({
              to: '/summary',
              search: (previous: ViewSearch) =>
                ({ ...searchFor('/summary')(previous), details }) as never,
            })
          }
        >
          Show in the summary
        </Button>
        <TraceLinks row={row} server={server.entity} />
      </div>
      <div className={classes.groups}>
        {flowFacts(view.layer, row).map((group) => (
          <section key={group.title}>
            <h4 className={classes.groupTitle}>{group.title}</h4>
            <dl className={classes.facts}>
              {group.facts.map((fact) => (
                <Fact key={`${fact.column} ${fact.label}`} fact={fact} />
              ))}
            </dl>
          </section>
        ))}
      </div>
    </div>
  );
}

/** Where the trace of a request is kept, as the operator's links say. */
function TraceLinks({ row, server }: { row: FlowRow; server: Entity }) {
  const { layer } = useView().view;
  const templates = useLinks().filter(({ url }) => url.includes('{trace_id}'));
  const beganMs = flowTimeMs(layer, row);
  if (layer !== 'l7' || beganMs === null) return null;
  return <OutsideLinks links={fillLinks(templates, requestValues(row, server, beganMs))} />;
}

function Fact({ fact }: { fact: FlowFact }) {
  const { view, setView } = useView();
  const narrow = (clause: string) => setView({ filter: addClauses(view.filter, [clause]) });
  const { clause } = fact;
  return (
    <div className={classes.fact}>
      <Tooltip label={`${fact.column}: ${fact.doc}`} multiline maw={280} position="top-start">
        <dt>{fact.label}</dt>
      </Tooltip>
      <dd title={fact.exact}>
        <span className={classes.text}>{fact.text}</span>
        <span className={classes.factActions}>
          {clause !== null && (
            <>
              <Tooltip label={`Only ${clause}`}>
                <ActionIcon size={20} aria-label={`Only ${clause}`} onClick={() => narrow(clause)}>
                  <IconFilterPlus size={13} />
                </ActionIcon>
              </Tooltip>
              <Tooltip label={`Without ${clause}`}>
                <ActionIcon
                  size={20}
                  aria-label={`Without ${clause}`}
                  onClick={() => narrow(`-${clause}`)}
                >
                  <IconFilterMinus size={13} />
                </ActionIcon>
              </Tooltip>
            </>
          )}
          <CopyButton text={fact.exact} />
        </span>
      </dd>
    </div>
  );
}
