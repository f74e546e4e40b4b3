package tables

// Relations of the schema hunt: saved hunts, and those that stand.

// Hunts is the saved hunts there are.
var Hunts = &Relation{Schema: Hunt, Name: "hunts",
	Doc: "saved hunts: CALL hunt('name') runs one, CALL hunt('name', 'since', '1 DAY') with a value of its own",
	Columns: []Column{
		{Name: "name", Kind: Text, Size: 64, NotNull: true, Doc: "what CALL hunt and wiresql hunt take"},
		{Name: "title", Kind: Text, Size: 128, Doc: "a few words; NULL for a file that can't be read"},
		{Name: "question", Kind: Text, Size: 512, Doc: "what it answers"},
		{Name: "severity", Kind: Text, Size: 16, Values: Severities, NoCase: true, Doc: "how much a finding matters: info, low, medium, high or critical"},
		{Name: "techniques", Kind: Text, Size: 128, Doc: "of MITRE ATT&CK, comma-joined"},
		{Name: "parameters", Kind: Text, Size: 2048, Doc: "what it may be given beside since, from and to: a line each of name, type, default and meaning"},
		{Name: "how_to_read", Kind: Text, Size: 1024, Doc: "how its rows are read"},
		{Name: "empty_means", Kind: Text, Size: 1024, Doc: "what it means that there are no rows, and which coverage that needs"},
		{Name: "false_positives", Kind: Text, Size: 1024, Doc: "what else looks like it"},
		{Name: "relations", Kind: Text, Size: 256, Doc: "relations it asks, comma-joined"},
		{Name: "packets_query", Kind: Text, Size: 1024, Doc: "the statement that goes on to the packets of a row: :column is its value"},
		{Name: "query", Kind: Text, Size: 6000, Doc: "the statement, with its parameters"},
		{Name: "reference_urls", Kind: Text, Size: 896, Doc: "where to read more, comma-joined"},
		{Name: "finding_key", Kind: Text, Size: 128, Doc: "columns that tell its findings apart, comma-joined; NULL for all that are texts or ports"},
		{Name: "file", Kind: Text, Size: 1024, Doc: "where it was read; NULL for one that is shipped"},
		{Name: "error", Kind: Text, Size: 1024, Doc: "why a file is no hunt, with its line"},
	}}

// HuntSchedules is the hunts that run by themselves.
var HuntSchedules = &Relation{Schema: Hunt, Name: "schedules",
	Doc: "hunts that run by themselves: CALL schedule('name', 'hunt', 'every', '1 HOUR', …) makes one, CALL unschedule('name') ends it",
	Columns: []Column{
		{Name: "schedule", Kind: Text, Size: 64, NotNull: true, Doc: "its name"},
		{Name: "hunt", Kind: Text, Size: 64, NotNull: true, Doc: "the hunt it runs"},
		{Name: "every", Kind: Text, Size: 32, NotNull: true, Doc: "how long after the start of a run the next is due"},
		{Name: "since", Kind: Text, Size: 32, NotNull: true, Doc: "how long the time is that a run looks through, at least"},
		{Name: "late", Kind: Text, Size: 32, NotNull: true, Doc: "how late records may come: a run begins that long before the end of the last one, at least"},
		{Name: "parameters", Kind: Text, Size: 8192, Doc: "values given to the hunt's parameters, a JSON object"},
		{Name: "pins", Kind: Bool, NotNull: true, Doc: "whether the packets of new findings are pinned"},
		{Name: "notify", Kind: Text, Size: 64, Doc: "the target that is told of new findings"},
		{Name: "account", Kind: Text, Size: 64, Doc: "with whose rights it runs; NULL for who has the archive's files"},
		{Name: "made_at", Kind: Timestamp, NotNull: true, Doc: "when it was made"},
		{Name: "last_run", Kind: Timestamp, Doc: "when it ran last"},
		{Name: "next_run", Kind: Timestamp, NotNull: true, Doc: "when it is due; a past time while no server runs, or another hunt does"},
		{Name: "hunted_to", Kind: Timestamp, Doc: "the end of the time it looked through so far"},
		{Name: "findings", Kind: BigInt, NotNull: true, Doc: "what it found, and is kept"},
		{Name: "failures", Kind: BigInt, NotNull: true, Unit: "runs", Doc: "runs that failed since one did not"},
		{Name: "error", Kind: Text, Size: 512, Doc: "why the last one failed"},
	}}

// HuntRuns is what became of each run.
var HuntRuns = &Relation{Schema: Hunt, Name: "runs",
	Doc: "each run of a scheduled hunt: what it looked through, and what became of it; the last 10,000",
	Columns: []Column{
		{Name: "ts", Kind: Timestamp, NotNull: true, Doc: "when it began"},
		{Name: "duration", Kind: Double, NotNull: true, Unit: "seconds", Doc: "how long it took"},
		{Name: "schedule", Kind: Text, Size: 64, NotNull: true, Doc: "the schedule"},
		{Name: "hunt", Kind: Text, Size: 64, NotNull: true, Doc: "the hunt"},
		{Name: "from_ts", Kind: Timestamp, Doc: "the time it looked through: from; NULL if there was nothing to look through"},
		{Name: "to_ts", Kind: Timestamp, Doc: "and to"},
		{Name: "outcome", Kind: Text, Size: 16, NotNull: true, Values: runOutcomes, NoCase: true, Doc: "found, nothing, truncated (there was more than a run keeps), or failed: then the next one looks through its time as well"},
		{Name: "row_count", Kind: BigInt, NotNull: true, Unit: "rows", Doc: "rows of the hunt"},
		{Name: "new_findings", Kind: BigInt, NotNull: true, Doc: "findings that were not known"},
		{Name: "error", Kind: Text, Size: 512, Doc: "why it failed"},
		{Name: "warnings", Kind: Text, Size: 12288, Doc: "what its answer lacks, a line each: gaps in the recording, packets that are gone, what is damaged"},
	}}

// HuntResults is what scheduled hunts found.
var HuntResults = &Relation{Schema: Hunt, Name: "results",
	Doc: "what scheduled hunts found, each finding once however often it is found again",
	Columns: []Column{
		{Name: "finding", Kind: Text, Size: 24, NotNull: true, Doc: "its id: of its schedule, hunt and key"},
		{Name: "schedule", Kind: Text, Size: 64, NotNull: true, Doc: "the schedule that found it"},
		{Name: "hunt", Kind: Text, Size: 64, NotNull: true, Doc: "the hunt"},
		{Name: "severity", Kind: Text, Size: 16, NotNull: true, Values: Severities, NoCase: true, Doc: "the hunt's"},
		{Name: "title", Kind: Text, Size: 128, NotNull: true, Doc: "the hunt's"},
		{Name: "finding_key", Kind: Text, Size: 4096, NotNull: true, Doc: "what tells it apart: a JSON object of the hunt's key columns"},
		{Name: "first_seen", Kind: Timestamp, NotNull: true, Doc: "when what was found began: first_seen or ts of its rows, else the end of the time looked through"},
		{Name: "last_seen", Kind: Timestamp, NotNull: true, Doc: "when it ended, so far"},
		{Name: "found_at", Kind: Timestamp, NotNull: true, Doc: "when a run found it first"},
		{Name: "times", Kind: BigInt, NotNull: true, Unit: "runs", Doc: "runs that found it, and each time more of it"},
		{Name: "status", Kind: Text, Size: 16, NotNull: true, Values: FindingStatuses, NoCase: true, Doc: "open, or what somebody said with CALL finding_status: confirmed, benign, closed"},
		{Name: "status_by", Kind: Text, Size: 64, Doc: "who said so"},
		{Name: "status_at", Kind: Timestamp, Doc: "when"},
		{Name: "case_name", Kind: Text, Size: 255, Doc: "the case its packets are pinned for (ops.pins)"},
		{Name: "row_json", Kind: Text, Size: 10240, NotNull: true, Doc: "its latest row, a JSON object; texts are cut at 2 KiB, and of a row of more than 10 KiB only the key is kept"},
	}}

// HuntDeliveries is who was told of findings.
var HuntDeliveries = &Relation{Schema: Hunt, Name: "deliveries",
	Doc: "whom new findings were told to, or are to be: a server or a program of the file of targets",
	Columns: []Column{
		{Name: "finding", Kind: Text, Size: 24, NotNull: true, Doc: "the finding's id, which the message has too: it may come more than once"},
		{Name: "schedule", Kind: Text, Size: 64, NotNull: true, Doc: "its schedule"},
		{Name: "target", Kind: Text, Size: 64, NotNull: true, Doc: "name of the target"},
		{Name: "state", Kind: Text, Size: 16, NotNull: true, Values: deliveryStates, NoCase: true, Doc: "waiting, delivered, or given_up"},
		{Name: "attempts", Kind: BigInt, NotNull: true, Doc: "how often it was tried"},
		{Name: "last_attempt", Kind: Timestamp, Doc: "when last"},
		{Name: "error", Kind: Text, Size: 512, Doc: "what went wrong last"},
	}}

// HuntCases is what people noted.
var HuntCases = &Relation{Schema: Hunt, Name: "cases",
	Doc: "what people noted about cases, with CALL case_note('case-17', 'what I saw', 'a finding or a conn_id', 'tags'); ops.pins has what is pinned for them",
	Columns: []Column{
		{Name: "ts", Kind: Timestamp, NotNull: true, Doc: "when it was written"},
		{Name: "case_name", Kind: Text, Size: 255, NotNull: true, Doc: "the case"},
		{Name: "account", Kind: Text, Size: 64, Doc: "who wrote it; NULL for who has the archive's files"},
		{Name: "about", Kind: Text, Size: 255, Doc: "what it is about: a finding's id, a conn_id, a host; NULL for the case as a whole"},
		{Name: "tags", Kind: Text, Size: 255, Doc: "tags, comma-joined"},
		{Name: "note", Kind: Text, Size: 4096, NotNull: true, Doc: "the text"},
	}}
