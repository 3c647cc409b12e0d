package conformance

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/flowtwin/flowtwin/emu/services"
	"github.com/flowtwin/flowtwin/emu/services/embedded"
	"github.com/flowtwin/flowtwin/emu/services/store"
)

func TestCouchDB(t *testing.T) {
	against(t, "FLOWTWIN_COUCHDB_URL", func(t *testing.T) server {
		s, err := embedded.StartCouchDB("admin", "secret of/mine")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := s.Close(); err != nil {
				t.Error(err)
			}
		})
		return server{s.URL(), s.Served()}
	}, func(t *testing.T, s server) {
		couchProtocol(t, s)
		couchStore(t, s)
	})
}

// conversation speaks to a CouchDB as any HTTP client does.
type conversation struct {
	t        *testing.T
	base     *url.URL
	client   *http.Client
	database string
	revs     map[string]string // the last revision of each document
}

func converse(t *testing.T, s server) *conversation {
	t.Helper()
	base, err := url.Parse(s.address)
	if err != nil {
		t.Fatal(err)
	}
	c := &conversation{t, base, &http.Client{Timeout: time.Minute, Transport: &http.Transport{DisableCompression: true}}, unique("conformance"), map[string]string{}}
	c.say(exchange{ask: "PUT /{db}", status: 201, answer: `{"ok":true}`})
	t.Cleanup(func() {
		c.t = t
		c.say(exchange{ask: "DELETE /{db}", status: 200, answer: `{"ok":true}`})
		c.client.CloseIdleConnections()
	})
	return c
}

// exchange is a request and what a CouchDB answers to it.
type exchange struct {
	// ask is a method and a path, in which {db} is the database and {rev:ID}
	// the last revision of a document. So it is in send and header.
	ask    string
	send   string
	header http.Header // "Authorization": anything but the administrator's
	status int
	// answer is the JSON of the answer. In it, "REV" stands for any revision,
	// "2-REV" for one of that generation, "ANY" for anything, and a member
	// "...": "" allows for more members. "" if the body is not looked at.
	answer string
	// tag, if it is not empty, is what the ETag holds between its quotes.
	tag string
	// body is what an answer that is not JSON holds.
	body *string
}

var placeholder = regexp.MustCompile(`\{(db|rev:[^}]+)\}`)

func (c *conversation) fill(text string) string {
	return placeholder.ReplaceAllStringFunc(text, func(p string) string {
		if p == "{db}" {
			return c.database
		}
		return c.revs[p[len("{rev:"):len(p)-1]]
	})
}

func (c *conversation) say(e exchange) *http.Response {
	c.t.Helper()
	method, path, _ := strings.Cut(c.fill(e.ask), " ")
	request, err := http.NewRequest(method, c.base.Scheme+"://"+c.base.Host+path, strings.NewReader(c.fill(e.send)))
	if err != nil {
		c.t.Fatal(err)
	}
	if e.send != "" {
		request.Header.Set("Content-Type", "application/json")
	}
	if c.base.User != nil {
		password, _ := c.base.User.Password()
		request.SetBasicAuth(c.base.User.Username(), password)
	}
	for name, values := range e.header {
		request.Header[name] = nil
		for _, value := range values {
			request.Header[name] = append(request.Header[name], c.fill(value))
		}
	}
	response, err := c.client.Do(request)
	if err != nil {
		c.t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		c.t.Fatal(err)
	}
	if response.StatusCode != e.status {
		c.t.Errorf("%s %s: status %d, want %d: %s", e.ask, e.send, response.StatusCode, e.status, body)
	}
	if e.tag != "" {
		if tag := response.Header.Get("ETag"); tag != `"`+c.fill(e.tag)+`"` {
			c.t.Errorf("%s: ETag %s, want %q", e.ask, tag, c.fill(e.tag))
		}
	}
	if e.body != nil && string(body) != *e.body {
		c.t.Errorf("%s: body %.100q, want %.100q", e.ask, body, *e.body)
	}
	var got any
	if json.Unmarshal(body, &got) == nil {
		c.remember(got)
	}
	if e.answer != "" {
		var want any
		if err := json.Unmarshal([]byte(c.fill(e.answer)), &want); err != nil {
			c.t.Fatalf("%s: %v", e.answer, err)
		}
		if !alike(got, want) {
			c.t.Errorf("%s %s: answer %s, want %s", e.ask, e.send, body, e.answer)
		}
		if kind := response.Header.Get("Content-Type"); kind != "application/json" {
			c.t.Errorf("%s: content type %q", e.ask, kind)
		}
	}
	response.Body = io.NopCloser(bytes.NewReader(body))
	return response
}

// remember keeps the revisions that a server has told of.
func (c *conversation) remember(answer any) {
	switch answer := answer.(type) {
	case []any:
		for _, one := range answer {
			c.remember(one)
		}
	case map[string]any:
		id, _ := answer["id"].(string)
		if rev, ok := answer["rev"].(string); ok {
			c.revs[id] = rev
		}
	}
}

var revisionText = regexp.MustCompile(`^[1-9][0-9]*-[0-9a-f]{32}$`)

// alike compares an answer with what is wanted.
func alike(got, want any) bool {
	switch want := want.(type) {
	case string:
		text, isText := got.(string)
		generation, isRevision := strings.CutSuffix(want, "REV")
		switch {
		case want == "ANY":
			return true
		case isRevision:
			return isText && revisionText.MatchString(text) && strings.HasPrefix(text, generation)
		}
		return isText && text == want
	case map[string]any:
		object, ok := got.(map[string]any)
		_, more := want["..."]
		if !ok || !more && len(object) != len(want) {
			return false
		}
		for name, value := range want {
			if inner, there := object[name]; name != "..." && (!there || !alike(inner, value)) {
				return false
			}
		}
		return true
	case []any:
		list, ok := got.([]any)
		return ok && slices.EqualFunc(list, want, alike)
	}
	return reflect.DeepEqual(got, want)
}

func couchProtocol(t *testing.T, s server) {
	talk := func(name string, exchanges ...exchange) {
		t.Run(name, func(t *testing.T) {
			c := converse(t, s)
			for _, e := range exchanges {
				c.say(e)
			}
		})
	}
	const (
		conflict  = `{"error":"conflict","reason":"Document update conflict."}`
		missing   = `{"error":"not_found","reason":"missing"}`
		deleted   = `{"error":"not_found","reason":"deleted"}`
		noDB      = `{"error":"not_found","reason":"Database does not exist."}`
		badRev    = `{"error":"bad_request","reason":"Invalid rev format"}`
		otherRev  = "1-00000000000000000000000000000000"
		anonymous = `{"error":"unauthorized","reason":"You are not authorized to access this db."}`
	)
	empty := ""

	talk("server",
		exchange{ask: "GET /", status: 200, answer: `{"couchdb":"Welcome","version":"ANY","vendor":{"name":"ANY","...":""},"...":""}`},
		exchange{ask: "HEAD /", status: 200, body: &empty},
		exchange{ask: "GET /_up", status: 200, answer: `{"status":"ok","...":""}`},
		exchange{ask: "HEAD /_up", status: 200, body: &empty},
		exchange{ask: "GET /_uuids?count=2", status: 200, answer: `{"uuids":["ANY","ANY"]}`},
	)
	talk("databases",
		exchange{ask: "HEAD /{db}", status: 200, body: &empty},
		exchange{ask: "HEAD /{db}-not", status: 404, body: &empty},
		exchange{ask: "GET /{db}", status: 200, answer: `{"db_name":"{db}","doc_count":0,"doc_del_count":0,"compact_running":false,
			"sizes":{"file":"ANY","active":"ANY","external":"ANY"},"update_seq":"ANY","...":""}`},
		exchange{ask: "GET /{db}-not", status: 404, answer: noDB},
		exchange{ask: "PUT /{db}", status: 412, answer: `{"error":"file_exists","reason":"The database could not be created, the file already exists."}`},
		exchange{ask: "PUT /{db}X", status: 400, answer: `{"error":"illegal_database_name","reason":"Name: '{db}X'. Only lowercase characters (a-z), digits (0-9), and any of the characters _, $, (, ), +, -, and / are allowed. Must begin with a letter."}`},
		exchange{ask: "DELETE /{db}-not", status: 404, answer: noDB},
		exchange{ask: "PUT /{db}-not/a", send: `{}`, status: 404, answer: noDB},
		exchange{ask: "PUT /{db}%2Finner", status: 201, answer: `{"ok":true}`},
		exchange{ask: "DELETE /{db}%2Finner", status: 200, answer: `{"ok":true}`},
		exchange{ask: "PATCH /{db}", status: 405, answer: `{"error":"method_not_allowed","reason":"ANY"}`},
	)
	talk("a document's life",
		exchange{ask: "GET /{db}/a", status: 404, answer: missing},
		exchange{ask: "HEAD /{db}/a", status: 404, body: &empty},
		exchange{ask: "PUT /{db}/a", send: `{"n":1,"text":"ä"}`, status: 201, answer: `{"ok":true,"id":"a","rev":"1-REV"}`},
		exchange{ask: "GET /{db}/a", status: 200, tag: "{rev:a}", answer: `{"_id":"a","_rev":"{rev:a}","n":1,"text":"ä"}`},
		exchange{ask: "HEAD /{db}/a", status: 200, tag: "{rev:a}", body: &empty},
		exchange{ask: "GET /{db}/a", header: http.Header{"If-None-Match": {`"{rev:a}"`}}, status: 304, body: &empty},
		exchange{ask: "GET /{db}/a?rev={rev:a}", status: 200, answer: `{"_id":"a","_rev":"{rev:a}","n":1,"text":"ä"}`},
		exchange{ask: "GET /{db}/a?rev=" + otherRev, status: 404, answer: missing},
		exchange{ask: "PUT /{db}/a", send: `{"n":2}`, status: 409, answer: conflict},
		exchange{ask: "PUT /{db}/a", send: `{"_rev":"` + otherRev + `","n":2}`, status: 409, answer: conflict},
		exchange{ask: "PUT /{db}/a", send: `{"_rev":"{rev:a}","n":2}`, status: 201, answer: `{"ok":true,"id":"a","rev":"2-REV"}`},
		exchange{ask: "PUT /{db}/a?rev={rev:a}", send: `{"n":3}`, status: 201, answer: `{"ok":true,"id":"a","rev":"3-REV"}`},
		exchange{ask: "PUT /{db}/a", header: http.Header{"If-Match": {"{rev:a}"}}, send: `{"n":4}`, status: 201, answer: `{"ok":true,"id":"a","rev":"4-REV"}`},
		exchange{ask: "PUT /{db}/a?rev={rev:a}", send: `{"_rev":"` + otherRev + `"}`, status: 400,
			answer: `{"error":"bad_request","reason":"Document rev from request body and query string have different values"}`},
		exchange{ask: "DELETE /{db}/a", status: 409, answer: conflict},
		exchange{ask: "DELETE /{db}/a?rev={rev:a}", status: 200, answer: `{"ok":true,"id":"a","rev":"5-REV"}`},
		exchange{ask: "GET /{db}/a", status: 404, answer: deleted},
		exchange{ask: "DELETE /{db}/a?rev={rev:a}", status: 404, answer: deleted},
		exchange{ask: "GET /{db}", status: 200, answer: `{"doc_count":0,"doc_del_count":1,"...":""}`},
		exchange{ask: "PUT /{db}/a", send: `{"n":6}`, status: 201, answer: `{"ok":true,"id":"a","rev":"6-REV"}`},
		exchange{ask: "GET /{db}", status: 200, answer: `{"doc_count":1,"doc_del_count":0,"...":""}`},
		exchange{ask: "PUT /{db}/new", send: `{"_rev":"` + otherRev + `"}`, status: 409, answer: conflict},
		exchange{ask: "DELETE /{db}/new", status: 404, answer: missing},
	)
	talk("documents of the server's naming",
		exchange{ask: "POST /{db}", send: `{"n":1}`, status: 201, answer: `{"ok":true,"id":"ANY","rev":"1-REV"}`},
		exchange{ask: "POST /{db}", send: `{"_id":"b"}`, status: 201, answer: `{"ok":true,"id":"b","rev":"1-REV"}`},
		exchange{ask: "POST /{db}", send: `{"_id":"b"}`, status: 409, answer: conflict},
		exchange{ask: "POST /{db}", send: `{}`, header: http.Header{"Content-Type": {"text/plain"}}, status: 415,
			answer: `{"error":"bad_content_type","reason":"Content-Type must be application/json"}`},
	)
	talk("names with slashes and signs",
		exchange{ask: "PUT /{db}/a%2Fb%20c+d%2B", send: `{}`, status: 201, answer: `{"ok":true,"id":"a/b c d+","rev":"1-REV"}`},
		exchange{ask: "GET /{db}/a%2Fb%20c%20d%2B", status: 200, answer: `{"_id":"a/b c d+","_rev":"1-REV"}`},
		exchange{ask: "PUT /{db}/a%2Fb/one/two%2Fthree", send: `x`, status: 201, answer: `{"ok":true,"id":"a/b","rev":"1-REV"}`},
		exchange{ask: "GET /{db}/a%2Fb/one%2Ftwo/three", status: 200},
		exchange{ask: "PUT /{db}/_a", send: `{}`, status: 400, answer: `{"error":"illegal_docid","reason":"Only reserved document ids may start with underscore."}`},
	)
	talk("requests that make no sense",
		exchange{ask: "PUT /{db}/a", send: `{`, status: 400, answer: `{"error":"bad_request","reason":"invalid UTF-8 JSON"}`},
		exchange{ask: "PUT /{db}/a", send: `[]`, status: 400, answer: `{"error":"bad_request","reason":"Document must be a JSON object"}`},
		exchange{ask: "PUT /{db}/a", send: `{"_rev":"one"}`, status: 400, answer: badRev},
		exchange{ask: "PUT /{db}/a?rev=one", send: `{}`, status: 400, answer: badRev},
		exchange{ask: "PUT /{db}/a", send: `{"_mine":1}`, status: 400, answer: `{"error":"doc_validation","reason":"Bad special document member: _mine"}`},
		exchange{ask: "PUT /{db}/a", send: `{"_id":1}`, status: 400, answer: `{"error":"illegal_docid","reason":"Document id must be a string"}`},
		exchange{ask: "GET /{db}", status: 200, answer: `{"doc_count":0,"...":""}`},
	)

	plain := http.Header{"Content-Type": {"text/x-anything"}}
	octets := http.Header{"Content-Type": {"application/octet-stream"}}
	data, other := string(pattern(100_000, 1)), string(pattern(3, 2))
	talk("attachments",
		exchange{ask: "GET /{db}/a/x", status: 404, answer: missing},
		exchange{ask: "PUT /{db}/a/x", header: octets, send: data, status: 201, answer: `{"ok":true,"id":"a","rev":"1-REV"}`},
		exchange{ask: "GET /{db}/a/x", status: 200, body: &data},
		exchange{ask: "HEAD /{db}/a/x", status: 200, body: &empty},
		exchange{ask: "GET /{db}/a/y", status: 404, answer: `{"error":"not_found","reason":"Document is missing attachment"}`},
		exchange{ask: "PUT /{db}/a/y", header: octets, send: other, status: 409, answer: conflict},
		exchange{ask: "PUT /{db}/a/y?rev=" + otherRev, header: octets, send: other, status: 409, answer: `{"error":"not_found","reason":"missing_rev"}`},
		exchange{ask: "PUT /{db}/new/y?rev=" + otherRev, header: octets, send: other, status: 409, answer: `{"error":"not_found","reason":"missing_rev"}`},
		exchange{ask: "PUT /{db}/a/y?rev={rev:a}", header: octets, send: other, status: 201, answer: `{"ok":true,"id":"a","rev":"2-REV"}`},
		exchange{ask: "GET /{db}/a", status: 200, tag: "{rev:a}", answer: `{"_id":"a","_rev":"{rev:a}","_attachments":{
			"x":{"content_type":"application/octet-stream","revpos":1,"digest":"ANY","length":100000,"stub":true},
			"y":{"content_type":"application/octet-stream","revpos":2,"digest":"ANY","length":3,"stub":true}}}`},
		exchange{ask: "PUT /{db}/a/_y?rev={rev:a}", header: octets, send: other, status: 400,
			answer: `{"error":"bad_request","reason":"Attachment name '_y' starts with prohibited character '_'"}`},
		exchange{ask: "PUT /{db}/a", send: `{"_rev":"{rev:a}","_attachments":{"x":{"stub":true}}}`, status: 201},
		exchange{ask: "GET /{db}/a/x", status: 200, body: &data},
		exchange{ask: "GET /{db}/a/y", status: 404, answer: `{"error":"not_found","reason":"Document is missing attachment"}`},
		exchange{ask: "PUT /{db}/a", send: `{"_rev":"{rev:a}","_attachments":{"z":{"stub":true}}}`, status: 412, answer: `{"error":"missing_stub","reason":"ANY"}`},
		exchange{ask: "PUT /{db}/a", send: `{"_rev":"{rev:a}","_attachments":{"w":{"content_type":"image/png","data":"AAEC"}}}`, status: 201},
		exchange{ask: "GET /{db}/a?attachments=true", header: http.Header{"Accept": {"application/json"}}, status: 200, answer: `{"_id":"a","_rev":"{rev:a}","_attachments":{
			"w":{"content_type":"image/png","revpos":4,"digest":"ANY","data":"AAEC"}}}`},
		exchange{ask: "DELETE /{db}/a/w", status: 409, answer: conflict},
		exchange{ask: "DELETE /{db}/a/w?rev={rev:a}", status: 200, answer: `{"ok":true,"id":"a","rev":"5-REV"}`},
		exchange{ask: "GET /{db}/a", status: 200, answer: `{"_id":"a","_rev":"5-REV"}`},
	)
	t.Run("the ETag of an attachment is its digest", func(t *testing.T) {
		c := converse(t, s)
		c.say(exchange{ask: "PUT /{db}/a/x", header: octets, send: "hello", status: 201})
		const digest = "XUFAKrxLKna5cZ2REBfFkg==" // MD5 of hello, from md5sum.
		c.say(exchange{ask: "GET /{db}/a/x", status: 200, tag: digest})
		c.say(exchange{ask: "GET /{db}/a/x", header: http.Header{"If-None-Match": {`"` + digest + `"`}}, status: 304, body: &empty})
		c.say(exchange{ask: "GET /{db}/a", status: 200, answer: `{"_id":"a","_rev":"{rev:a}","_attachments":{
			"x":{"content_type":"application/octet-stream","revpos":1,"digest":"md5-` + digest + `","length":5,"stub":true}}}`})
	})
	t.Run("bodies that are sent gzipped", func(t *testing.T) {
		c := converse(t, s)
		packed := func(text string) string {
			var b bytes.Buffer
			w := gzip.NewWriter(&b)
			io.WriteString(w, text)
			w.Close()
			return b.String()
		}
		zipped := http.Header{"Content-Encoding": {"gzip"}}
		c.say(exchange{ask: "PUT /{db}/a", header: zipped, send: packed(`{"n":1}`), status: 201})
		c.say(exchange{ask: "GET /{db}/a", status: 200, answer: `{"_id":"a","_rev":"1-REV","n":1}`})
		zipped = http.Header{"Content-Encoding": {"gzip"}, "Content-Type": plain["Content-Type"]}
		text := strings.Repeat("hello ", 1000)
		c.say(exchange{ask: "PUT /{db}/b/x", header: zipped, send: packed(text), status: 201})
		c.say(exchange{ask: "GET /{db}/b/x", status: 200, body: &text})
		response := c.say(exchange{ask: "GET /{db}/b/x", header: http.Header{"Accept-Encoding": {"gzip"}}, status: 200})
		if encoding := response.Header.Get("Content-Encoding"); encoding != "gzip" {
			t.Errorf("content encoding %q", encoding)
		}
	})
	talk("many documents at once",
		exchange{ask: "POST /{db}/_bulk_docs", send: `{"docs":[{"_id":"a"},{"_id":"b","n":1},{"n":2}]}`, status: 201,
			answer: `[{"ok":true,"id":"a","rev":"1-REV"},{"ok":true,"id":"b","rev":"1-REV"},{"ok":true,"id":"ANY","rev":"1-REV"}]`},
		exchange{ask: "POST /{db}/_bulk_docs", send: `{"docs":[{"_id":"a"},{"_id":"b","_rev":"{rev:b}","_deleted":true}]}`, status: 201,
			answer: `[{"id":"a","error":"conflict","reason":"Document update conflict."},{"ok":true,"id":"b","rev":"2-REV"}]`},
		exchange{ask: "GET /{db}/b", status: 404, answer: deleted},
		exchange{ask: "POST /{db}/_bulk_docs", send: `{}`, status: 400, answer: "{\"error\":\"bad_request\",\"reason\":\"POST body must include `docs` parameter.\"}"},
		exchange{ask: "POST /{db}/_bulk_docs", send: `{"docs":1}`, status: 400, answer: "{\"error\":\"bad_request\",\"reason\":\"`docs` parameter must be an array.\"}"},
		exchange{ask: "POST /{db}/_bulk_docs", send: `{"docs":[]}`, status: 201, answer: `[]`},
	)
	row := func(id string) string {
		return `{"id":"` + id + `","key":"` + id + `","value":{"rev":"{rev:` + id + `}"}}`
	}
	talk("lists of documents",
		exchange{ask: "GET /{db}/_all_docs", status: 200, answer: `{"total_rows":0,"offset":0,"rows":[]}`},
		exchange{ask: "POST /{db}/_bulk_docs", send: `{"docs":[{"_id":"b"},{"_id":"a","n":1},{"_id":"c"},{"_id":"Z"},{"_id":"d"}]}`, status: 201},
		exchange{ask: "DELETE /{db}/d?rev={rev:d}", status: 200},
		exchange{ask: "GET /{db}/_all_docs", status: 200, answer: `{"total_rows":4,"offset":0,"rows":[` + row("Z") + `,` + row("a") + `,` + row("b") + `,` + row("c") + `]}`},
		exchange{ask: `GET /{db}/_all_docs?startkey=%22a%22&endkey=%22b%22`, status: 200, answer: `{"total_rows":4,"offset":1,"rows":[` + row("a") + `,` + row("b") + `]}`},
		exchange{ask: `GET /{db}/_all_docs?startkey=%22a%22&endkey=%22b%22&inclusive_end=false`, status: 200, answer: `{"total_rows":4,"offset":1,"rows":[` + row("a") + `]}`},
		exchange{ask: `GET /{db}/_all_docs?limit=1&skip=2`, status: 200, answer: `{"total_rows":4,"offset":2,"rows":[` + row("b") + `]}`},
		exchange{ask: `GET /{db}/_all_docs?key=%22a%22&include_docs=true`, status: 200,
			answer: `{"total_rows":4,"offset":1,"rows":[{"id":"a","key":"a","value":{"rev":"1-REV"},"doc":{"_id":"a","_rev":"1-REV","n":1}}]}`},
		exchange{ask: `POST /{db}/_all_docs`, send: `{"keys":["c","none","d"]}`, status: 200,
			answer: `{"total_rows":4,"offset":"ANY","rows":[` + row("c") + `,{"key":"none","error":"not_found"},{"id":"d","key":"d","value":{"rev":"{rev:d}","deleted":true}}]}`},
		exchange{ask: `GET /{db}/_all_docs?descending=true&limit=2`, status: 200, answer: `{"total_rows":4,"offset":0,"rows":[` + row("c") + `,` + row("b") + `]}`},
	)
	found := func(ids ...string) string {
		docs := make([]string, len(ids))
		for i, id := range ids {
			docs[i] = `{"_id":"` + id + `"}`
		}
		return `{"docs":[` + strings.Join(docs, ",") + `],"bookmark":"ANY","...":""}`
	}
	find := func(selector string, ids ...string) exchange {
		return exchange{ask: "POST /{db}/_find", send: `{"fields":["_id"],"selector":` + selector + `}`, status: 200, answer: found(ids...)}
	}
	talk("queries",
		exchange{ask: "POST /{db}/_bulk_docs", status: 201, send: `{"docs":[
			{"_id":"a","function":"split","n":1,"in":{"x":"y"}},
			{"_id":"b","function":"merge","n":2,"list":[1,2]},
			{"_id":"c","function":"split","n":"3"},
			{"_id":"d","n":null,"flag":true}]}`},
		find(`{"function":"split"}`, "a", "c"),
		find(`{"function":"split","n":1}`, "a"),
		find(`{"function":{"$ne":"split"}}`, "b"),
		find(`{"n":{"$gt":1}}`, "b", "c"),
		find(`{"n":{"$gte":1,"$lt":"3"}}`, "a", "b"),
		find(`{"n":{"$lte":1}}`, "a", "d"),
		find(`{"function":{"$exists":false}}`, "d"),
		find(`{"function":{"$in":["merge","none"]}}`, "b"),
		find(`{"function":{"$nin":["merge","none"]}}`, "a", "c"),
		find(`{"$or":[{"n":2},{"flag":true}]}`, "b", "d"),
		find(`{"$and":[{"function":"split"},{"n":"3"}]}`, "c"),
		find(`{"$not":{"function":"split"}}`, "b", "d"),
		find(`{"$nor":[{"n":2},{"flag":true}]}`, "a", "c"),
		find(`{"in.x":"y"}`, "a"),
		find(`{"in":{"x":"y"}}`, "a"),
		find(`{"list":{"$size":2}}`, "b"),
		find(`{"n":{"$type":"string"}}`, "c"),
		find(`{"_id":{"$gt":"b"}}`, "c", "d"),
		find(`{"flag":true}`, "d"),
		find(`{"none":1}`),
		exchange{ask: "POST /{db}/_find", send: `{"selector":{"_id":"b"}}`, status: 200, answer: `{"docs":[{"_id":"b","_rev":"1-REV","function":"merge","n":2,"list":[1,2]}],"bookmark":"ANY","...":""}`},
		exchange{ask: "POST /{db}/_find", send: `{"selector":{"_id":"a"},"fields":["in.x","none"]}`, status: 200, answer: `{"docs":[{"in":{"x":"y"}}],"bookmark":"ANY","...":""}`},
		exchange{ask: "POST /{db}/_find", send: `{"selector":{"_id":{"$gt":null}},"fields":["_id"],"limit":2,"skip":1}`, status: 200, answer: found("b", "c")},
		exchange{ask: "POST /{db}/_find", send: `{"selector":{},"sort":[{"n":"asc"}]}`, status: 400,
			answer: `{"error":"no_usable_index","reason":"No index exists for this sort, try indexing by the sort fields."}`},
		exchange{ask: "POST /{db}/_find", send: `{}`, status: 400, answer: `{"error":"missing_required_key","reason":"Missing required key: selector"}`},
		exchange{ask: "POST /{db}/_find", send: `{"selector":{"n":{"$none":1}}}`, status: 400, answer: `{"error":"invalid_operator","reason":"Invalid operator: $none"}`},
	)
	t.Run("a query returns 25 documents unless told, and goes on at its bookmark", func(t *testing.T) {
		c := converse(t, s)
		var docs []string
		for i := range 30 {
			docs = append(docs, fmt.Sprintf(`{"_id":"doc%02d","n":1}`, i))
		}
		c.say(exchange{ask: "POST /{db}/_bulk_docs", send: `{"docs":[` + strings.Join(docs, ",") + `]}`, status: 201})
		bookmark := ""
		for _, want := range []int{25, 5, 0} {
			response := c.say(exchange{ask: "POST /{db}/_find", send: `{"selector":{"n":1},"bookmark":"` + bookmark + `"}`, status: 200})
			var answer struct {
				Docs     []json.RawMessage `json:"docs"`
				Bookmark string            `json:"bookmark"`
			}
			if err := json.NewDecoder(response.Body).Decode(&answer); err != nil || len(answer.Docs) != want {
				t.Fatalf("%d documents, %v, want %d", len(answer.Docs), err, want)
			}
			bookmark = answer.Bookmark
		}
	})
	t.Run("login", func(t *testing.T) {
		c := converse(t, s)
		if c.base.User == nil {
			t.Skip("the server is used without a login")
		}
		name := c.base.User.Username()
		password, _ := c.base.User.Password()
		nobody, wrong := http.Header{"Authorization": nil}, http.Header{"Authorization": {"Basic YTpi"}}
		c.say(exchange{ask: "GET /{db}", header: nobody, status: 401, answer: anonymous})
		c.say(exchange{ask: "PUT /{db}/a", header: nobody, send: `{}`, status: 401, answer: anonymous})
		c.say(exchange{ask: "GET /{db}", header: wrong, status: 401, answer: `{"error":"unauthorized","reason":"Name or password is incorrect."}`})
		c.say(exchange{ask: "PUT /{db}-new", header: nobody, status: 401, answer: `{"error":"unauthorized","reason":"You are not a server admin."}`})
		c.say(exchange{ask: "GET /_all_dbs", header: nobody, status: 401, answer: `{"error":"unauthorized","reason":"You are not a server admin."}`})
		c.say(exchange{ask: "GET /", header: nobody, status: 200})
		login, err := json.Marshal(map[string]string{"name": name, "password": password})
		if err != nil {
			t.Fatal(err)
		}
		response := c.say(exchange{ask: "POST /_session", header: nobody, send: string(login), status: 200, answer: `{"ok":true,"name":"` + name + `","roles":["_admin"]}`})
		cookies := response.Cookies()
		if len(cookies) != 1 || cookies[0].Name != "AuthSession" {
			t.Fatalf("cookies %v", cookies)
		}
		session := http.Header{"Authorization": nil, "Cookie": {cookies[0].Name + "=" + cookies[0].Value}}
		c.say(exchange{ask: "GET /{db}", header: session, status: 200})
		c.say(exchange{ask: "GET /_session", header: session, status: 200, answer: `{"ok":true,"userCtx":{"name":"` + name + `","roles":["_admin"]},"...":""}`})
		c.say(exchange{ask: "GET /_session", header: nobody, status: 200, answer: `{"ok":true,"userCtx":{"name":null,"roles":[]},"...":""}`})
		c.say(exchange{ask: "POST /_session", header: nobody, send: `{"name":"x","password":"y"}`, status: 401, answer: `{"error":"unauthorized","reason":"Name or password is incorrect."}`})
		// The artefacts' databases are for everyone.
		c.say(exchange{ask: "PUT /{db}/_security", send: `{"admins":{"names":[],"roles":[]},"members":{"names":[],"roles":[]}}`, status: 200, answer: `{"ok":true}`})
		c.say(exchange{ask: "PUT /{db}/a", header: nobody, send: `{}`, status: 201})
	})
	t.Run("of 8 puts with the same revision one wins", func(t *testing.T) {
		c := converse(t, s)
		c.say(exchange{ask: "PUT /{db}/a", send: `{}`, status: 201})
		var won, lost atomic.Int64
		var group sync.WaitGroup
		for i := range 8 {
			group.Go(func() {
				request, _ := http.NewRequest("PUT", s.address+c.database+"/a", strings.NewReader(fmt.Sprintf(`{"_rev":"%s","n":%d}`, c.revs["a"], i)))
				request.Header.Set("Content-Type", "application/json")
				response, err := c.client.Do(request)
				if err != nil {
					t.Error(err)
					return
				}
				response.Body.Close()
				switch response.StatusCode {
				case http.StatusCreated:
					won.Add(1)
				case http.StatusConflict:
					lost.Add(1)
				}
			})
		}
		group.Wait()
		if won.Load() != 1 || lost.Load() != 7 {
			t.Errorf("%d won, %d lost", won.Load(), lost.Load())
		}
	})
	t.Run("sizes grow with what is stored and shrink with what is deleted", func(t *testing.T) {
		c := converse(t, s)
		external := func() float64 {
			var info struct {
				Sizes struct {
					External float64 `json:"external"`
				} `json:"sizes"`
			}
			if err := json.NewDecoder(c.say(exchange{ask: "GET /{db}", status: 200}).Body).Decode(&info); err != nil {
				t.Fatal(err)
			}
			return info.Sizes.External
		}
		c.say(exchange{ask: "PUT /{db}/a/x", header: octets, send: data, status: 201})
		if got, want := external(), float64(len(data)); got < want || got > want+1024 {
			t.Errorf("external size %v, want %v and at most 1 KiB more", got, want)
		}
		c.say(exchange{ask: "DELETE /{db}/a?rev={rev:a}", status: 200})
		if got := external(); got > 1024 {
			t.Errorf("external size %v after all is deleted", got)
		}
	})
}

// couchStore is what the store does with a CouchDB.
func couchStore(t *testing.T, s server) {
	open := func(t *testing.T) (opened *store.Server, db *store.Database, name string) {
		t.Helper()
		ctx := testContext(t)
		opened, err := store.Open(ctx, store.Options{URL: s.address})
		if err != nil {
			t.Fatal(err)
		}
		name = unique("store")
		if db, err = opened.Database(ctx, name); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := opened.DeleteDatabase(context.Background(), name); err != nil {
				t.Error(err)
			}
			opened.Close()
		})
		return opened, db, name
	}
	key := func(invocation, output string) services.Key {
		return services.Key{Invocation: invocation, Function: "_split up", Output: output}
	}

	t.Run("the server names itself", func(t *testing.T) {
		opened, _, _ := open(t)
		t.Logf("served by %s", opened.Served())
		if served := opened.Served(); s.served != "" && served != s.served || served == "" {
			t.Errorf("served by %q, want %q", served, s.served)
		}
	})
	t.Run("wrong credentials are refused when it is opened", func(t *testing.T) {
		address, _ := url.Parse(s.address)
		address.User = url.UserPassword("admin", "wrong")
		if opened, err := store.Open(testContext(t), store.Options{URL: address.String()}); err == nil {
			opened.Close()
			t.Error("it was opened")
		}
	})
	t.Run("what is put is got, of any size and content", func(t *testing.T) {
		ctx := testContext(t)
		opened, db, _ := open(t)
		var payload, stored int64
		for i, size := range []int{0, 1, 4096, 1 << 20, 5 << 20} {
			k, data := key("request", fmt.Sprint("a/out+", i)), pattern(size, byte(i))
			if err := errors.Join(db.Put(ctx, k, data), db.PutGuarded(ctx, k, data)); err != nil {
				t.Fatal(err)
			}
			for _, get := range []func(context.Context, services.Key) ([]byte, error){db.Get, db.GetGuarded} {
				if got, err := get(ctx, k); err != nil || !bytes.Equal(got, data) {
					t.Errorf("%d bytes: got %d, %v", size, len(got), err)
				}
			}
			payload += 2 * int64(size)
			stored += 2 * (int64(size) + services.TrailerSize)
		}
		traffic := opened.Traffic()
		if traffic.PayloadPut != payload || traffic.PayloadGot != payload || traffic.StoredPut != stored || traffic.Puts != 10 || traffic.Gets != 10 {
			t.Errorf("traffic %+v, want %d bytes of payload, %d stored", traffic, payload, stored)
		}
		usage, err := db.Usage(ctx)
		if err != nil {
			t.Fatal(err)
		}
		if extra := usage.External - stored; usage.Documents != 6 || extra < 0 || extra > stored/50+10*1024 {
			t.Errorf("the server holds %+v, want %d bytes in 6 documents", usage, stored)
		}
		if extra := traffic.WireSent - stored; extra < 0 || extra > stored/50+25*1024 {
			t.Errorf("%d bytes were sent, %d stored", traffic.WireSent, stored)
		}
	})
	t.Run("the last put counts", func(t *testing.T) {
		ctx := testContext(t)
		_, db, _ := open(t)
		for _, text := range []string{"first", "second", "third"} {
			k := key("request", "out")
			if err := errors.Join(db.Put(ctx, k, []byte(text)), db.PutGuarded(ctx, k, []byte(text))); err != nil {
				t.Fatal(err)
			}
			got, err := db.Get(ctx, k)
			guarded, err2 := db.GetGuarded(ctx, k)
			if string(got) != text || string(guarded) != text || err != nil || err2 != nil {
				t.Errorf("got %q and %q, %v, %v", got, guarded, err, err2)
			}
		}
	})
	t.Run("what is not there is not found", func(t *testing.T) {
		ctx := testContext(t)
		_, db, _ := open(t)
		if err := db.PutGuarded(ctx, key("request", "out"), nil); err != nil {
			t.Fatal(err)
		}
		_, err1 := db.Get(ctx, key("request", "out"))
		_, err2 := db.GetGuarded(ctx, key("request", "other"))
		_, err3 := db.GetGuarded(ctx, key("other", "out"))
		_, err4 := db.GetDocument(ctx, "none", nil)
		for _, err := range []error{err1, err2, err3, err4} {
			if !errors.Is(err, services.ErrNotFound) {
				t.Errorf("error %v", err)
			}
		}
	})
	t.Run("damage is noticed", func(t *testing.T) {
		ctx := testContext(t)
		_, db, name := open(t)
		k, other := key("request", "out"), key("request", "other")
		if err := errors.Join(db.Put(ctx, k, []byte("payload")), db.Put(ctx, other, []byte("payload"))); err != nil {
			t.Fatal(err)
		}
		c := converse(t, s)
		defer func(own string) { c.database = own }(c.database)
		c.database = name
		at := func(k services.Key) string { return "/{db}/" + url.PathEscape(k.String()) }
		anothers, err := io.ReadAll(c.say(exchange{ask: "GET " + at(other) + "/object", status: 200}).Body)
		if err != nil {
			t.Fatal(err)
		}
		for what, content := range map[string]string{
			"it is another's object": string(anothers),
			"bytes are missing":      "payload",
			"bytes are added":        string(anothers) + "x",
			"nothing is left":        "",
		} {
			rev := strings.Trim(c.say(exchange{ask: "HEAD " + at(k), status: 200}).Header.Get("ETag"), `"`)
			c.say(exchange{ask: "PUT " + at(k) + "/object?rev=" + rev, header: http.Header{"Content-Type": {"application/octet-stream"}}, send: content, status: 201})
			if got, err := db.Get(ctx, k); !errors.Is(err, services.ErrDamaged) {
				t.Errorf("%s: got %q, %v", what, got, err)
			}
		}
	})
	t.Run("writers of one guarded document meet conflicts, and none is lost", func(t *testing.T) {
		ctx := testContext(t)
		opened, db, _ := open(t)
		const writers, each, size = 8, 10, 1000
		var conflicts atomic.Int64
		var group sync.WaitGroup
		for i := range writers {
			group.Go(func() {
				for j := range each {
					for {
						err := db.PutGuarded(ctx, key("request", fmt.Sprintf("%d.%d", i, j)), pattern(size, byte(i*each+j)))
						if err == nil {
							break
						}
						if !errors.Is(err, store.ErrConflict) {
							t.Error(err)
							return
						}
						conflicts.Add(1)
					}
				}
			})
		}
		group.Wait()
		for i := range writers {
			for j := range each {
				got, err := db.GetGuarded(ctx, key("request", fmt.Sprintf("%d.%d", i, j)))
				if err != nil || !bytes.Equal(got, pattern(size, byte(i*each+j))) {
					t.Errorf("%d.%d: got %d bytes, %v", i, j, len(got), err)
				}
			}
		}
		traffic := opened.Traffic()
		t.Logf("%d puts and %d conflicts", traffic.Puts, traffic.Conflicts)
		if traffic.Puts != writers*each || traffic.Conflicts != conflicts.Load() || traffic.ConflictBytes != size*conflicts.Load() || conflicts.Load() == 0 {
			t.Errorf("traffic %+v, want %d puts and %d conflicts", traffic, writers*each, conflicts.Load())
		}
	})
	t.Run("an invocation is deleted, and none whose name is like it", func(t *testing.T) {
		ctx := testContext(t)
		opened, db, _ := open(t)
		others := []string{"request", "request-1-", "request-10", "request-1.", "request-1/0", "request-10/"}
		for _, invocation := range append(others, "request-1") {
			for _, output := range []string{"a", "b"} {
				k := key(invocation, output)
				if err := errors.Join(db.Put(ctx, k, []byte{1}), db.PutGuarded(ctx, k, []byte{1})); err != nil {
					t.Fatal(err)
				}
			}
		}
		if n, err := db.DeleteInvocation(ctx, "request-1"); n != 3 || err != nil || opened.Traffic().Deletes != 3 {
			t.Errorf("deleted %d, %v, want 2 objects and the document of all", n, err)
		}
		if n, err := db.DeleteInvocation(ctx, "request-1"); n != 0 || err != nil {
			t.Errorf("deleted %d more, %v", n, err)
		}
		for _, other := range others {
			_, err1 := db.Get(ctx, key(other, "a"))
			_, err2 := db.GetGuarded(ctx, key(other, "b"))
			if err1 != nil || err2 != nil {
				t.Error(err1, err2)
			}
		}
		if usage, err := db.Usage(ctx); usage.Documents != int64(3*len(others)) || usage.Deleted != 3 || err != nil {
			t.Errorf("the server holds %+v, %v", usage, err)
		}
	})
	type placement struct {
		ID       string `json:"_id,omitempty"`
		Function string `json:"function"`
		Worker   int    `json:"worker"`
	}
	t.Run("documents", func(t *testing.T) {
		ctx := testContext(t)
		opened, db, _ := open(t)
		want := placement{"the split", "split", 2}
		first, err := db.PutDocument(ctx, want.ID, "", want)
		if err != nil {
			t.Fatal(err)
		}
		var got placement
		if rev, err := db.GetDocument(ctx, want.ID, &got); got != want || rev != first || err != nil {
			t.Errorf("got %+v, %v", got, err)
		}
		if _, err := db.PutDocument(ctx, want.ID, "", want); !errors.Is(err, store.ErrConflict) {
			t.Errorf("a document that exists was written again: %v", err)
		}
		if second, err := db.PutDocument(ctx, want.ID, first, want); err != nil || second == first {
			t.Errorf("revision %s, %v", second, err)
		}
		if err := errors.Join(db.AddDocument(ctx, placement{Function: "merge"}), db.AddDocument(ctx, placement{Function: "merge"})); err != nil {
			t.Fatal(err)
		}
		if err := db.AddDocuments(ctx, []any{placement{"the split", "", 0}, placement{"x", "x", 0}}); !errors.Is(err, store.ErrConflict) {
			t.Errorf("a document that exists was written again: %v", err)
		}
		all := map[string]int{}
		if err := db.All(ctx, func(text json.RawMessage) error {
			var p placement
			err := json.Unmarshal(text, &p)
			all[p.Function]++
			return err
		}); err != nil || !reflect.DeepEqual(all, map[string]int{"split": 1, "merge": 2, "x": 1}) {
			t.Errorf("all are %v, %v", all, err)
		}
		if traffic := opened.Traffic(); traffic.DocumentsPut != 5 || traffic.DocumentsGot != 5 {
			t.Errorf("traffic %+v", traffic)
		}
	})
	t.Run("as many documents are found as there are", func(t *testing.T) {
		ctx := testContext(t)
		_, db, _ := open(t)
		const many = 2100 // More than two pages.
		var documents []any
		for i := range many {
			documents = append(documents, placement{Function: "split", Worker: i % 2})
		}
		if err := db.AddDocuments(ctx, documents); err != nil {
			t.Fatal(err)
		}
		for worker, want := range []int{many / 2, many / 2, 0} {
			found := 0
			if err := db.Find(ctx, map[string]any{"function": "split", "worker": worker}, func(text json.RawMessage) error {
				var p placement
				err := json.Unmarshal(text, &p)
				if p.Worker == worker {
					found++
				}
				return err
			}); err != nil || found != want {
				t.Errorf("found %d of worker %d, %v", found, worker, err)
			}
		}
		found := 0
		if err := db.Find(ctx, map[string]any{"function": "split"}, func(json.RawMessage) error { found++; return nil }); found != many || err != nil {
			t.Errorf("found %d, %v", found, err)
		}
	})
	t.Run("databases come and go", func(t *testing.T) {
		ctx := testContext(t)
		opened, db, name := open(t)
		if err := db.Put(ctx, key("request", "out"), nil); err != nil {
			t.Fatal(err)
		}
		if _, err := opened.Database(ctx, name); err != nil {
			t.Error("one that exists:", err)
		}
		if err := errors.Join(opened.DeleteDatabase(ctx, name), opened.DeleteDatabase(ctx, name)); err != nil {
			t.Error(err)
		}
		if names, err := opened.Databases(ctx); slices.Contains(names, name) || err != nil {
			t.Errorf("databases %v, %v", names, err)
		}
		if err := db.Put(ctx, key("request", "out"), nil); !errors.Is(err, services.ErrNotFound) {
			t.Errorf("put into a database that is gone: %v", err)
		}
	})
}

func TestCouchDBThatIsNotThere(t *testing.T) {
	s, err := embedded.StartCouchDB("admin", "secret")
	if err != nil {
		t.Fatal(err)
	}
	address := s.URL()
	s.Close()
	for _, address := range []string{address, "", "127.0.0.1:5984", "http://a b/"} {
		if opened, err := store.Open(testContext(t), store.Options{URL: address}); err == nil {
			opened.Close()
			t.Errorf("%q was opened", address)
		}
	}
}
