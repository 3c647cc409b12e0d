package rundir

import (
	"bytes"
	"io"
	"os"
)

// spool holds the rows of a trial until it is its turn to be written: in
// memory as long as they are few, then in a file.
type spool struct {
	dir    string
	buffer bytes.Buffer
	file   *os.File
	err    error
}

// spoolMemory is what a spool keeps in memory, in bytes.
const spoolMemory = 4 << 20

func (s *spool) write(row []byte) {
	if s.err != nil {
		return
	}
	s.buffer.Write(row)
	if s.buffer.Len() < spoolMemory {
		return
	}
	if s.file == nil {
		if s.file, s.err = os.CreateTemp(s.dir, temporary+"*"); s.err != nil {
			return
		}
	}
	_, s.err = s.buffer.WriteTo(s.file)
}

// drain writes all rows to a file, and drops them.
func (s *spool) drain(to io.Writer) (int64, error) {
	defer s.drop()
	if s.err != nil {
		return 0, s.err
	}
	var n int64
	if s.file != nil {
		if _, err := s.file.Seek(0, io.SeekStart); err != nil {
			return 0, err
		}
		var err error
		if n, err = io.Copy(to, s.file); err != nil {
			return n, err
		}
	}
	more, err := s.buffer.WriteTo(to)
	return n + more, err
}

func (s *spool) drop() {
	if s.file != nil {
		s.file.Close()
		os.Remove(s.file.Name())
		s.file = nil
	}
	s.buffer = bytes.Buffer{}
}
