# A recording's normal form as lines to read and to compare: a line for each step, below it its reasons.
def reasons: .why[] | "\(" " * (4 + 2 * (.indent // 0)))\(.how) \(.key)\(if .text then ": " + .text else "" end)\(
	if .decides then "  <- decides" else "" end)";
def step: "\(.kind) \(.where // "")\(if .hook then ", \(.table) \(.hook)" else "" end)\(if .outer then " (outer)" else "" end): \(
	if .before and .after and .before != .after then "\(.before)  =>  \(.after)" else (.after // .before // "") end)",
	reasons,
	(select(.note_key) | "    NOTE \(.note_key)\(if .note then ": " + .note else "" end)"),
	(select(.next_key) | "    NEXT \(.next_key)\(if .next then ": " + .next else "" end)"),
	(select(.try_cmd) | "    TRY \(.try_where) -- \(.try_cmd)  ~ \(.try_expect)");
"\(.probe.from) to \(.probe.to), \(.probe.proto): \(.probe.outcome)\(if .probe.answer then ", " + .probe.answer else "" end)",
(.flights[] | "", "== \(.title), \(if .reply then "reply" else "forward" end)\(if .leg then ", relayed" else "" end)", (.steps[] | step)),
"",
"\(.verdict.how) \(.verdict.result)\(if .verdict.cause then " " + .verdict.cause else "" end)\(
	if .verdict.where then " in " + .verdict.where else "" end): \(.verdict.text)"
