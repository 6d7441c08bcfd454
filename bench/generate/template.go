package generate

// template is one kind of ordinary event. Texts are JSON literals without quotes, written as JSON.stringify of
// JavaScript prints them, so that they serve in the value and in the canonical string alike.
type template struct {
	weight     int
	action     string
	status     string
	target     string // target resource type, "" for none
	outcome    string // outcome description
	errorCode  string
	reasonCode string
	count      int    // recordCount; 0 for none, −1 for one above ten, −2 for one up to ten
	matches    uint32 // rules that count it at any hour
	data       bool   // counted by off-hours-access when it falls off hours
}

const (
	auth   = 1 << FailedAuthBurst
	denied = 1 << UnauthorizedAccess
	fast   = 1 << DataVelocity
	bulk   = 1 << BulkOperation
	night  = 1 << OffHoursAccess
)

// templates are the day's work, with the near misses on which a careless match would fire.
var templates = []template{
	{260, "data.read.patient", "success", "Patient", "Record read", "", "", 0, fast, true},
	{60, "data.read.patient", "success", "Patient", "Kartei gelesen: Müller \\\"Süd\\\"", "", "", -2, fast, true},
	{12, "data.read.list", "success", "Patient", "List read", "", "", -1, fast | bulk, true},
	{90, "fhir.patient.read", "success", "Patient", "OK", "", "", 0, fast, true},
	{50, "fhir.observation.create", "success", "Observation", "Created", "", "", 0, fast, true},
	{20, "fhir.bundle.process", "success", "", "Processed", "", "", 0, fast, true},
	{10, "fhir.patient.read", "failure", "Patient", "NotFound: no such patient", "", "", 0, 0, false},
	{6, "data.export.report", "success", "Report", "Exported", "", "", 0, fast | bulk, true},
	{4, "data.import.labs", "attempt", "Lab", "Queued", "", "", 0, bulk, false},
	{2, "system.bulk.cleanup", "failure", "", "Timeout", "", "", 0, bulk, false},
	{40, "data.update.patient", "success", "Patient", "Updated <ok> & \u2028 saved", "", "", 0, fast, true},
	{30, "data.update.note", "success", "", "Updated", "", "", 0, 0, true},
	{90, "auth.login.success", "success", "Session", "Logged in", "", "", 0, 0, false},
	{40, "auth.logout", "success", "", "Logged out", "", "", 0, 0, false},
	{20, "auth.login.attempt", "attempt", "", "", "", "", 0, 0, false},
	{18, "auth.login.failure", "failure", "", "Invalid password", "", "", 0, auth, false},
	{3, "auth.login.failure", "failure", "", "Unauthorized", "", "", 0, auth | denied, false},
	{2, "auth.login.failure", "attempt", "", "Interrupted", "", "", 0, 0, false},
	{4, "data.read.chart", "failure", "Chart", "Denied by policy", "AccessDenied", "", 0, denied, false},
	{2, "data.read.chart", "failure", "Chart", "No", "", "ForbiddenException", 0, denied, false},
	{2, "fhir.patient.read", "failure", "Patient", "UnauthorizedOperation: role", "", "", 0, denied, false},
	{2, "data.read.chart", "failure", "Chart", "ACCESS Denied for role", "Other", "", 0, denied, false},
	{2, "data.read.chart", "failure", "Chart", "User is not authorized to perform read", "", "", 0, denied, false},
	{4, "data.read.chart", "failure", "Chart", "AccessDenied: quota", "ThrottlingException", "", 0, 0, false},
	{4, "data.read.chart", "failure", "Chart", "accessdenied", "", "", 0, 0, false},
	{2, "data.read.chart", "success", "Chart", "AccessDenied", "AccessDenied", "", 0, fast, true},
	{150, "system.health.check", "success", "", "OK", "", "", 0, 0, false},
	{60, "system.job.run", "success", "Job", "Done", "", "", 0, fast, false},
	{10, "system.job.run", "failure", "Job", "Timeout", "Timeout", "", 0, 0, false},
}

var totalWeight = func() (sum int64) {
	for _, t := range templates {
		sum += int64(t.weight)
	}
	return sum
}()

func pickTemplate(r *random) *template {
	n := r.below(totalWeight)
	for i := range templates {
		if n -= int64(templates[i].weight); n < 0 {
			return &templates[i]
		}
	}
	return &templates[0]
}

// Events of planted attacks.
var (
	failedLogin = template{action: "auth.login.failure", status: "failure", outcome: "Invalid password", matches: auth}
	deniedRead  = template{action: "data.read.chart", status: "failure", target: "Chart", outcome: "AccessDenied: no",
		errorCode: "AccessDenied", matches: denied}
	read = template{action: "data.read.patient", status: "success", target: "Patient", outcome: "Record read",
		matches: fast, data: true}
	export = template{action: "data.export.report", status: "success", outcome: "Exported", matches: bulk, data: true}
	health = template{action: "system.health.check", status: "success", outcome: "OK"}
)
