-- What conversations have in the live service's form beyond that of v3, so that what came in whole goes out whole. All are
-- JSON. `metric_entries`: metrics that came in with times. `extras`: further fields. `turn_extras`: further fields of each
-- turn; `[]` if there are none. `function_events`: lists of events by turn.
ALTER TABLE conversations ADD COLUMN metric_entries TEXT NOT NULL DEFAULT '{}';
ALTER TABLE conversations ADD COLUMN extras TEXT NOT NULL DEFAULT '{}';
ALTER TABLE conversations ADD COLUMN turn_extras TEXT NOT NULL DEFAULT '[]';
ALTER TABLE conversations ADD COLUMN function_events TEXT NOT NULL DEFAULT '{}';
