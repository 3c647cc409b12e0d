package yamlfile

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"unicode/utf8"

	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/lexer"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"
)

// Read parses a file. The error is a single line if the file cannot be read
// or is no text, else it is of type Errors and names all syntax errors.
func Read(name string) (*Document, error) {
	data, err := ReadFile(name)
	if err != nil {
		return nil, err
	}
	return Parse(name, data)
}

// ReadFile returns what is in a file, if that is of a size that Parse takes.
func ReadFile(name string) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if info, err := f.Stat(); err != nil {
		return nil, err
	} else if info.IsDir() {
		return nil, fmt.Errorf("%s: it is a directory: name a file in it", name)
	}
	data, err := io.ReadAll(io.LimitReader(f, MaxFile+1))
	if err == nil {
		err = checkSize(name, data)
	}
	return data, err
}

func checkSize(file string, data []byte) error {
	if len(data) > MaxFile {
		return fmt.Errorf("%s: it is larger than %d MiB: this is no file that flowtwin reads", file, MaxFile>>20)
	}
	return nil
}

// Parse is Read for a file that is in memory; file is its name in errors.
func Parse(file string, data []byte) (*Document, error) {
	text, err := checkText(file, data)
	if err != nil {
		return nil, err
	}
	return parseText(file, text, pieceSize)
}

func parseText(file, text string, pieceSize int) (*Document, error) {
	d := &Document{file: file, root: &node{kind: Null, line: 1, column: 1}}
	p := &fileParser{doc: d, pieceSize: pieceSize, anchors: map[string]tree{}}
	if root := p.document(text); root.node != nil {
		d.root = root.node
	}
	if err := d.Err(); err != nil {
		return nil, err
	}
	return d, nil
}

// validText returns how many bytes the data begin with are UTF-8.
func validText(data []byte) int {
	at := 0
	for at < len(data) {
		r, size := utf8.DecodeRune(data[at:])
		if r == utf8.RuneError && size == 1 {
			break
		}
		at += size
	}
	return at
}

// checkText makes sure that data is text, and returns it without byte order
// mark and carriage returns.
func checkText(file string, data []byte) (string, error) {
	if err := checkSize(file, data); err != nil {
		return "", err
	}
	if before := validText(data); before < len(data) {
		line := bytes.Count(data[:before], []byte("\n")) + 1
		column := before - bytes.LastIndexByte(data[:before], '\n')
		return "", fmt.Errorf("%s:%d:%d: byte %#x is not UTF-8: it is not a text file", file, line, column, data[before])
	}
	text := strings.TrimPrefix(string(data), "\ufeff")
	text = strings.ReplaceAll(text, "\r\n", "\n")
	line, start, blank := 1, 0, 0
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case c == '\n':
			if blank++; blank > maxBlankLines {
				return "", fmt.Errorf("%s:%d: there are more than %d empty lines on end", file, line, maxBlankLines)
			}
			line, start = line+1, i+1
		case c < ' ' && c != '\t' || c == 0x7f:
			return "", fmt.Errorf("%s:%d:%d: there is a control character (%U), so it is not a YAML file", file, line, i-start+1, c)
		case c != ' ' && c != '\t':
			blank = 0
		}
	}
	return text, nil
}

// fileParser turns the text of a file into a tree of nodes.
type fileParser struct {
	doc       *Document
	pieceSize int
	anchors   map[string]tree // without a node while it is read
	aliased   int             // values repeated through aliases
}

// tree is a node with its number of values and its depth, as if aliases were
// written out.
type tree struct {
	*node
	size, depth int
}

func (p *fileParser) errorf(line, column int, format string, args ...any) {
	p.doc.add(Error{Position: Position{p.doc.file, line, column}, Message: fmt.Sprintf(format, args...)})
}

// piece parses a part of the file that starts at the given line. It returns a
// tree without a node if there is nothing in it, or an error, which is
// reported.
func (p *fileParser) piece(text string, line int) (result tree) {
	defer func() {
		// The parser has a history of panics on broken input.
		if r := recover(); r != nil {
			p.errorf(line, 1, "the YAML from here on is broken")
			result = tree{}
		}
	}()
	if len(text) > maxFlow {
		p.errorf(line, 1, "the value that starts here is longer than %d MiB", maxFlow>>20)
		return tree{}
	}
	tokens := lexer.Tokenize(text)
	if len(tokens) == 0 || !p.checkTokens(tokens, len(text), line) {
		return tree{}
	}
	file, err := parser.Parse(tokens, 0, parser.AllowDuplicateMapKey())
	if err != nil {
		p.syntaxError(err, line)
		return tree{}
	}
	for _, doc := range file.Docs {
		switch {
		case doc.Body == nil:
		case result.node != nil:
			second := p.convert(doc.Body, line-1, 1)
			p.errorf(int(second.line), int(second.column), "a second document starts here: a file holds one")
			return result
		default:
			result = p.convert(doc.Body, line-1, 1)
		}
	}
	return result
}

func (p *fileParser) syntaxError(err error, line int) {
	var syntax interface {
		GetToken() *token.Token
		GetMessage() string
	}
	if !errors.As(err, &syntax) || syntax.GetToken() == nil {
		p.errorf(line, 1, "%v", err)
		return
	}
	at := syntax.GetToken().Position
	p.errorf(line+at.Line-1, at.Column, "%s", syntax.GetMessage())
}

// convert turns a syntax tree into nodes. offset is added to line numbers.
func (p *fileParser) convert(n ast.Node, offset, depth int) tree {
	at := n.GetToken().Position
	result := &node{kind: Scalar, line: int32(at.Line + offset), column: int32(at.Column), text: n.GetToken().Value}
	leaf := tree{result, 1, 1}
	if depth > maxDepth {
		p.errorf(at.Line+offset, at.Column, "it nests deeper than %d levels", maxDepth)
		return leaf
	}
	switch n := n.(type) {
	case *ast.StringNode:
		result.text = n.Value
		result.quoted = n.Token.Type == token.SingleQuoteType || n.Token.Type == token.DoubleQuoteType
		return leaf
	case *ast.LiteralNode:
		result.text, result.quoted = n.Value.Value, true
		return leaf
	case *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode, *ast.InfinityNode, *ast.NanNode:
		return leaf
	case *ast.NullNode:
		result.kind, result.text = Null, ""
		return leaf
	case *ast.CommentGroupNode:
		return tree{}
	case *ast.MappingNode:
		if !n.IsFlowStyle && len(n.Values) > 0 { // its own token is a colon
			first := n.Values[0].Key.GetToken().Position
			result.line, result.column = int32(first.Line+offset), int32(first.Column)
		}
		return p.mapping(n.Values, result, offset, depth)
	case *ast.SequenceNode:
		return p.sequence(n, result, offset, depth)
	case *ast.AnchorNode:
		return p.anchor(n, offset, depth)
	case *ast.AliasNode:
		return p.alias(n, offset, depth)
	case *ast.TagNode:
		p.errorf(at.Line+offset, at.Column, "tags such as %s are not supported: leave it out", n.GetToken().Value)
	default:
		p.errorf(at.Line+offset, at.Column, "this kind of YAML (%s) is not supported", strings.ToLower(n.Type().String()))
	}
	return leaf
}

func (p *fileParser) mapping(values []*ast.MappingValueNode, result *node, offset, depth int) tree {
	result.kind, result.text = Mapping, ""
	total := tree{result, 1, 1}
	for _, v := range values {
		at := v.Key.GetToken().Position
		e := entry{line: int32(at.Line + offset), column: int32(at.Column)}
		switch key := v.Key.(type) {
		case *ast.StringNode:
			e.key = key.Value
		case *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode, *ast.NullNode:
			e.key = key.GetToken().Value
		case *ast.MergeKeyNode:
			p.errorf(at.Line+offset, at.Column, "merge keys (<<) are not supported: write the keys out")
			continue
		default:
			p.errorf(at.Line+offset, at.Column, "a key must be a plain word")
			continue
		}
		child := p.convert(v.Value, offset, depth+1)
		if child.node == nil || child.kind == Null { // nothing is nowhere: say where its key is
			child = tree{&node{kind: Null, line: e.line, column: e.column}, 1, 1}
		}
		e.value = child.node
		total = total.with(child)
		result.entries = append(result.entries, e)
	}
	return total
}

func (p *fileParser) sequence(n *ast.SequenceNode, result *node, offset, depth int) tree {
	result.kind, result.text = List, ""
	total := tree{result, 1, 1}
	for _, v := range n.Values {
		child := p.convert(v, offset, depth+1)
		if child.node == nil || child.kind == Null {
			child = tree{&node{kind: Null, line: result.line, column: result.column}, 1, 1}
		}
		total = total.with(child)
		result.items = append(result.items, child.node)
	}
	return total
}

// with returns t with the size and depth of a child added.
func (t tree) with(child tree) tree {
	return tree{t.node, t.size + child.size, max(t.depth, child.depth+1)}
}

func (p *fileParser) anchor(n *ast.AnchorNode, offset, depth int) tree {
	name := n.Name.GetToken().Value
	p.anchors[name] = tree{}
	value := p.convert(n.Value, offset, depth)
	p.anchors[name] = value
	return value
}

func (p *fileParser) alias(n *ast.AliasNode, offset, depth int) tree {
	at := n.GetToken().Position
	null := tree{&node{kind: Null, line: int32(at.Line + offset), column: int32(at.Column)}, 1, 1}
	name := n.Value.GetToken().Value
	value, known := p.anchors[name]
	switch {
	case !known:
		p.errorf(at.Line+offset, at.Column, "there is no anchor &%s before this alias", name)
	case value.node == nil:
		p.errorf(at.Line+offset, at.Column, "the alias *%s stands inside of what it stands for", name)
	case depth+value.depth > maxDepth:
		p.errorf(at.Line+offset, at.Column, "it nests deeper than %d levels through the alias *%s", maxDepth, name)
	case p.aliased+value.size > maxAliased:
		p.errorf(at.Line+offset, at.Column, "the aliases up to here stand for more than %d values", maxAliased)
	default:
		p.aliased += value.size
		return value
	}
	return null
}
