package sweep

import (
	"os"
	"os/exec"
	"strings"
	"testing"
)

func TestAnOwnerIsReadBackFromItsLabel(t *testing.T) {
	labels, err := Labels("c1", 3)
	if err != nil {
		t.Fatal(err)
	}
	owner, err := ParseOwner(labels[LabelOwner])
	if err != nil {
		t.Fatal(err)
	}
	self, err := Self()
	if err != nil {
		t.Fatal(err)
	}
	if owner != self || owner.PID != os.Getpid() {
		t.Errorf("%+v is read back as %+v", self, owner)
	}
	if labels[LabelFlowtwin] != "true" || labels[LabelCluster] != "c1" || labels[LabelNode] != "3" {
		t.Errorf("the labels are %v", labels)
	}
	if labels, err = Labels("c1", -1); err != nil || len(labels) != 3 {
		t.Errorf("the labels of what is of no node are %v, %v", labels, err)
	}
}

func TestLabelsOfOthersNameNoOwner(t *testing.T) {
	for _, text := range []string{
		"", "me", "12", "12@boot", "12.3.4", "0.3.4@abc", "-1.3.4@abc", "12.3.4@abc ", "12.3.4@ABC!", "9999999999.3.4@abc", "12.99999999999999999999.4@abc", "١.3.4@abc",
	} {
		if o, err := ParseOwner(text); err == nil {
			t.Errorf("%q is read as %+v", text, o)
		}
	}
}

// An owner is dead when its process has ended, when another process has been
// given its number, and when the machine was started again. One whose
// processes are not to be seen from here is not.
func TestOnlyAnOwnerThatIsGoneIsDead(t *testing.T) {
	self, err := Self()
	if err != nil {
		t.Fatal(err)
	}
	if self.Boot == "" {
		t.Skip("this system has no /proc")
	}
	later, rebooted, elsewhere := self, self, self
	later.Start--
	rebooted.Boot = "00000000-0000-0000-0000-000000000000"
	elsewhere.Namespace++
	elsewhere.PID, elsewhere.Start = 1, 1
	for _, test := range []struct {
		name  string
		owner Owner
		dead  bool
	}{
		{"this process", self, false},
		{"a process that has ended", ended(t), true},
		{"a process whose number was given again", later, true},
		{"a process of before the machine's start", rebooted, true},
		{"a process in another container", elsewhere, false},
	} {
		dead, err := test.owner.Dead()
		if err != nil || dead != test.dead {
			t.Errorf("%s: dead is %v, want %v (%v)", test.name, dead, test.dead, err)
		}
	}
}

// A process that nobody has waited for yet still has its number.
func TestAProcessThatHasEndedIsDeadBeforeItIsWaitedFor(t *testing.T) {
	self, err := Self()
	if err != nil {
		t.Fatal(err)
	}
	if self.Boot == "" {
		t.Skip("this system has no /proc")
	}
	c := exec.Command("cat")
	in, err := c.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	owner := self
	owner.PID = c.Process.Pid
	if owner.Start, err = startOf(owner.PID); err != nil {
		t.Fatal(err)
	}
	if dead, err := owner.Dead(); err != nil || dead {
		t.Errorf("while it runs, dead is %v, %v", dead, err)
	}
	in.Close()
	_, _ = out.Read(make([]byte, 1)) // It has closed its output: it ends.
	for {
		dead, err := owner.Dead()
		if err != nil {
			t.Fatal(err)
		}
		if dead {
			break
		}
	}
	if err := c.Wait(); err != nil {
		t.Fatal(err)
	}
}

// ended is an owner that has lived here and is gone.
func ended(t *testing.T) Owner {
	t.Helper()
	o, err := Self()
	if err != nil {
		t.Fatal(err)
	}
	c := exec.Command("true")
	if err := c.Run(); err != nil {
		t.Fatal(err)
	}
	o.PID = c.ProcessState.Pid()
	return o
}

func TestTheStartOfAProcessIsReadWhateverItsName(t *testing.T) {
	const after = " S 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 4242 20 21"
	for _, name := range []string{"(cat)", "(a b)", "(a) S 1 (b)", "())", "(\n)"} {
		state, start, err := parseStat("17 " + name + after)
		if err != nil || state != "S" || start != 4242 {
			t.Errorf("%s: state %q, start %d, %v", name, state, start, err)
		}
	}
	for _, text := range []string{"", "17 (cat)", "17 (cat) S 1 2", "17 (cat" + after[:20], strings.Replace("17 (cat)"+after, "4242", "x", 1)} {
		if _, start, err := parseStat(text); err == nil {
			t.Errorf("%q is read as %d", text, start)
		}
	}
}

func TestTheNameOfANamespaceIsRead(t *testing.T) {
	if n, err := parseNamespace("pid:[4026531836]"); err != nil || n != 4026531836 {
		t.Errorf("%d, %v", n, err)
	}
	for _, link := range []string{"", "pid:[]", "pid:[1", "net:[1]", "pid:[-1]"} {
		if n, err := parseNamespace(link); err == nil {
			t.Errorf("%q is read as %d", link, n)
		}
	}
}

func FuzzParseOwner(f *testing.F) {
	f.Add("12.34.56@0f1e2d3c-0000-0000-0000-000000000000")
	f.Add("12.0.0@")
	f.Add("1.2.3@@")
	f.Fuzz(func(t *testing.T, text string) {
		o, err := ParseOwner(text)
		if err != nil {
			return
		}
		if o.PID <= 0 {
			t.Errorf("%q has the process %d", text, o.PID)
		}
		if again, err := ParseOwner(o.String()); err != nil || again != o {
			t.Errorf("%q is %+v, and %q is %+v, %v", text, o, o, again, err)
		}
	})
}

func FuzzParseStat(f *testing.F) {
	f.Add("17 (a) b) S 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 4242 20")
	f.Fuzz(func(t *testing.T, text string) {
		if state, _, err := parseStat(text); err == nil && state == "" {
			t.Errorf("%q has no state and no error", text)
		}
	})
}
