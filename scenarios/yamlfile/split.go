package yamlfile

import (
	"strings"

	"github.com/goccy/go-yaml/token"
)

// The YAML parser takes time quadratic in the length of a block mapping, and
// recurses once for each of its keys: it would never get through a workflow of
// a million functions. So a long file is cut into pieces first, at lines that
// start an entry of a mapping or list. By the rules of YAML those are the lines
// with the indentation of the first entry: what belongs to an entry is
// indented more, except for the items of a list, which may line up with their
// key, and for comments. A short file is one piece.

// document parses a whole file.
func (p *fileParser) document(text string) tree {
	line := 1
	// A document may start with "---".
	for rest := text; ; {
		first, after, found := strings.Cut(rest, "\n")
		trimmed := strings.TrimSpace(first)
		switch {
		case trimmed == "" || trimmed[0] == '#':
			if !found {
				return tree{}
			}
			rest, line = after, line+1
			continue
		case first == "---" || strings.HasPrefix(first, "--- #"):
			text, line = after, line+1
		default:
			text = rest
		}
		break
	}
	// And it may end with "...".
	if body, ok := strings.CutSuffix(strings.TrimRight(text, "\n"), "\n..."); ok {
		text = body + "\n"
	}
	root := p.block(text, line, 1)
	p.checkDuplicates(root.node)
	return root
}

// block parses a part of the file that is one value, cutting it if it is long.
func (p *fileParser) block(text string, line, depth int) tree {
	if len(text) <= p.pieceSize {
		return p.piece(text, line)
	}
	if depth > maxDepth {
		p.errorf(line, 1, "it nests deeper than %d levels", maxDepth)
		return tree{}
	}
	switch entries, kind := p.cut(text, line); kind {
	case Mapping, List:
		return p.join(entries, kind, depth)
	case Scalar:
		return p.piece(text, line)
	default:
		return tree{}
	}
}

// part is some lines of a file.
type part struct {
	text string
	line int
}

// cut divides a mapping or list into its entries; comments before the first
// belong to it. The kind is Scalar if the text is something else, and Null if
// there is nothing in it or an error was reported.
func (p *fileParser) cut(text string, line int) ([]part, Kind) {
	var parts []part
	kind, indent, start, number := Null, 0, 0, line
	for at := 0; at < len(text); number++ {
		l, _, _ := strings.Cut(text[at:], "\n")
		content := strings.TrimLeft(l, " ")
		column := len(l) - len(content) + 1
		switch {
		case isBlank(content):
		case l == "---" || strings.HasPrefix(l, "--- "):
			p.errorf(number, 1, "a second document starts here: a file holds one")
			return nil, Null
		case kind == Null: // the first entry
			indent = column
			switch {
			case isItem(content):
				kind = List
			case isKey(content):
				kind = Mapping
			default:
				return nil, Scalar
			}
			parts = append(parts, part{line: line})
		case column < indent:
			p.errorf(number, column, "this line is indented less than the lines of %s that it seems to be part of", kind)
			return nil, Null
		case column == indent && strings.ContainsRune("}]", rune(content[0])): // closes what an entry opened
		case column == indent && kind == List && !isItem(content):
			p.errorf(number, column, "a list goes on here, so the line should start with a dash")
			return nil, Null
		case column == indent && (kind == List || !isItem(content)):
			parts[len(parts)-1].text = text[start:at]
			parts = append(parts, part{line: number})
			start = at
		}
		at = min(at+len(l)+1, len(text))
	}
	if kind != Null {
		parts[len(parts)-1].text = text[start:]
	}
	return parts, kind
}

// isBlank reports whether a line, without its indentation, says nothing.
func isBlank(content string) bool { return strings.TrimSpace(content) == "" || content[0] == '#' }

// isItem reports whether a line starts with the dash of a list.
func isItem(content string) bool {
	return content == "-" || strings.HasPrefix(content, "- ")
}

// isKey reports whether a line starts with a key and a colon.
func isKey(content string) bool {
	switch {
	case strings.ContainsRune("&*!|>%@`{[?:,]}", rune(content[0])) || strings.HasPrefix(content, "---"):
		return false
	case content[0] == '"' || content[0] == '\'':
		for i := 1; i < len(content); i++ {
			switch {
			case content[i] == '\\' && content[0] == '"':
				i++
			case content[i] == content[0]:
				return strings.HasPrefix(strings.TrimLeft(content[i+1:], " ")+" ", ": ")
			}
		}
		return false
	default:
		content, _, _ = strings.Cut(content, " #")
		return strings.Contains(content, ": ") || strings.HasSuffix(content, ":")
	}
}

// join parses the entries of a mapping or list, as many at a time as make a
// piece, and puts the results together.
func (p *fileParser) join(parts []part, kind Kind, depth int) tree {
	result := tree{&node{kind: kind, line: int32(parts[0].line), column: 1}, 1, 1}
	add := func(t tree) {
		if t.node == nil {
			return
		}
		if t.kind != kind {
			p.errorf(int(t.line), int(t.column), "%s is expected here, not %s", kind, t.kind)
			return
		}
		if len(result.entries)+len(result.items) == 0 {
			result.line, result.column = t.line, t.column
		}
		result.entries = append(result.entries, t.entries...)
		result.items = append(result.items, t.items...)
		result.size, result.depth = result.size+t.size-1, max(result.depth, t.depth)
	}
	for len(parts) > 0 && len(p.doc.errs) < maxErrors {
		n, size := 0, 0
		for n < len(parts) && n < pieceEntries && size+len(parts[n].text) <= p.pieceSize {
			size += len(parts[n].text)
			n++
		}
		if n == 0 {
			add(p.long(parts[0], kind, depth))
			parts = parts[1:]
			continue
		}
		var text strings.Builder
		for _, part := range parts[:n] {
			text.WriteString(part.text)
		}
		add(p.piece(text.String(), parts[0].line))
		parts = parts[n:]
	}
	return result
}

// long parses one entry of a mapping or list that is too long for a piece.
func (p *fileParser) long(entry part, kind Kind, depth int) tree {
	// The line with the dash or the key.
	start, head := 0, ""
	for {
		head, _, _ = strings.Cut(entry.text[start:], "\n")
		if !isBlank(strings.TrimLeft(head, " ")) {
			break
		}
		start += len(head) + 1
	}
	if kind == List {
		// Without its dash, an item is a block of its own.
		dash := strings.IndexByte(head, '-')
		value := p.block(entry.text[:start+dash]+" "+entry.text[start+dash+1:], entry.line, depth+1)
		if value.node == nil {
			return tree{}
		}
		line := entry.line + strings.Count(entry.text[:start], "\n")
		list := &node{kind: List, line: int32(line), column: int32(dash + 1), items: []*node{value.node}}
		return tree{list, 1, 1}.with(value)
	}
	bare, _, _ := strings.Cut(head, " #")
	if !strings.HasSuffix(strings.TrimRight(bare, " "), ":") {
		return p.piece(entry.text, entry.line)
	}
	// A key alone on its line, with a block below it.
	below := min(start+len(head)+1, len(entry.text))
	key := p.piece(entry.text[:below], entry.line)
	if key.node == nil || len(key.entries) != 1 {
		return tree{}
	}
	value := p.block(entry.text[below:], entry.line+strings.Count(entry.text[:below], "\n"), depth+1)
	if value.node == nil {
		return key
	}
	key.entries[0].value = value.node
	return tree{key.node, 1, 1}.with(value)
}

// checkTokens refuses what the parser could not handle in good time.
func (p *fileParser) checkTokens(tokens token.Tokens, size, line int) bool {
	refuse := func(t *token.Token, format string, args ...any) bool {
		p.errorf(line+t.Position.Line-1, t.Position.Column, format, args...)
		return false
	}
	type bracket struct{ mapping, colon bool }
	var (
		flow   []bracket // that are open
		blocks []int     // columns of the block mappings and lists that are open
		nulls  int
		simple = true // nothing but brackets and scalars, behind at most one key
		keys   int
	)
	for i, t := range tokens {
		previous := token.UnknownType
		if i > 0 {
			previous = tokens[i-1].Type
		}
		var top *bracket
		if len(flow) > 0 {
			top = &flow[len(flow)-1]
		}
		switch t.Type {
		case token.InvalidType:
			return refuse(t, "%s", t.Error)
		case token.MappingKeyType:
			return refuse(t, "explicit keys (?) are not supported: write key: value")
		case token.DirectiveType:
			return refuse(t, "directives (%%) are not supported: leave the line out")
		case token.AnchorType, token.AliasType, token.TagType, token.LiteralType, token.FoldedType, token.DocumentHeaderType:
			simple = false
		case token.MappingStartType, token.SequenceStartType:
			flow = append(flow, bracket{mapping: t.Type == token.MappingStartType})
		case token.MappingEndType, token.SequenceEndType, token.CollectEntryType:
			if top == nil {
				break
			}
			if previous == token.MappingValueType || top.mapping && !top.colon {
				nulls++
			}
			if top.colon = false; t.Type != token.CollectEntryType {
				flow = flow[:len(flow)-1]
			}
		case token.SequenceEntryType, token.MappingValueType:
			switch {
			case top != nil && t.Type == token.SequenceEntryType:
				return refuse(t, "a dash makes no list inside brackets: separate the items by commas")
			case top != nil:
				top.colon = true
				continue
			}
			column := t.Position.Column
			if t.Type == token.MappingValueType && i > 0 {
				column = tokens[i-1].Position.Column
				keys++
			}
			simple = simple && t.Type == token.MappingValueType && keys <= 1
			for len(blocks) > 0 && blocks[len(blocks)-1] >= column {
				blocks = blocks[:len(blocks)-1]
			}
			blocks = append(blocks, column)
		}
		switch {
		case len(flow)+len(blocks) > maxDepth:
			return refuse(t, "it nests deeper than %d levels", maxDepth)
		case nulls > maxNulls:
			return refuse(t, "there are more than %d empty values in brackets", maxNulls)
		case size > maxUncut && !simple || size > maxFlow:
			return refuse(t, "this value is too long to be read in one piece: put each of its parts on a line of its own")
		}
	}
	return true
}

// checkDuplicates reports keys that occur twice in one mapping.
func (p *fileParser) checkDuplicates(root *node) {
	seen := map[*node]bool{} // with aliases, a node may be met again
	var visit func(*node)
	visit = func(n *node) {
		if p.aliased > 0 {
			if seen[n] {
				return
			}
			seen[n] = true
		}
		for i := range n.entries {
			e := &n.entries[i]
			if first, _ := p.doc.find(n, e.key); first != i {
				p.errorf(int(e.line), int(e.column), "the key %q is there already, in line %d", e.key, n.entries[first].line)
			}
			visit(e.value)
		}
		for _, item := range n.items {
			visit(item)
		}
	}
	if root != nil {
		visit(root)
	}
}
