package bodies

import (
	"context"
	"errors"
	"fmt"
	"image"
	"strconv"
	"strings"

	"github.com/flowtwin/flowtwin/engine/workflow"
)

// faasflowRecognizer looks for illegal content in a picture. Which branch its
// switches take depends on a flag of the uploader's alone, as in the artefact.
func faasflowRecognizer() kit {
	return kit{"recognizer", "", map[string]entry{
		"upload": {
			outputs: []string{"output_prefix", "illegal_flag", "image_name", "user_name", "image"},
			make: func(_ context.Context, f *workflow.Function) (Body, error) {
				picture, err := Picture(stated(f, "image"))
				return func(_ context.Context, c Call) error {
					return errors.Join(
						c.Post("output_prefix", []byte("censored")),
						c.Post("illegal_flag", []byte("0")),
						c.Post("image_name", []byte("notice.png")),
						c.Post("user_name", []byte("somebody")),
						c.Post("image", picture),
					)
				}, err
			},
		},
		"adult":       judges("upload.image", isSkin, "adult_value"),
		"violence":    judges("upload.image", isBlood, "violence_value"),
		"virtual1":    chooses("upload.illegal_flag", "illegal", "default"),
		"extract":     extracts("upload.image", "extracted_text"),
		"translate":   translates("extract.extracted_text", "translated_text"),
		"word_censor": censors("translate.translated_text", "filter_count"),
		"virtual2":    chooses("upload.illegal_flag", "illegal", "default"),
		"mosaic": ready(func(_ context.Context, c Call) error {
			prefix, err := c.Input("upload.output_prefix")
			if err != nil {
				return err
			}
			name, err := c.Input("upload.image_name")
			if err != nil {
				return err
			}
			if err := c.Post("mosaic_name", fmt.Appendf(nil, "%s-%s", prefix, name)); err != nil {
				return err
			}
			return postMosaic(c, "upload.image", "image")
		}, "mosaic_name", "image"),
	}}
}

// dataflowerRecognizer does the same, and switches read the verdicts.
func dataflowerRecognizer() kit {
	return kit{"recognizer", "", map[string]entry{
		"upload": {outputs: []string{"img"}, make: func(_ context.Context, f *workflow.Function) (Body, error) {
			picture, err := Picture(stated(f, "img"))
			return func(_ context.Context, c Call) error { return c.Post("img", picture) }, err
		}},
		"adult":           judges("upload.img", isSkin, "verdict"),
		"violence":        judges("upload.img", isBlood, "verdict"),
		"adult_switch":    chooses("adult.verdict", "illegal", "default"),
		"violence_switch": chooses("violence.verdict", "illegal", "default"),
		"extract":         extracts("upload.img", "text"),
		"translate":       translates("extract.text", "translated_text"),
		"censor":          censors("translate.translated_text", "verdict"),
		"censor_switch":   chooses("censor.verdict", "illegal", "default"),
		"mosaic":          ready(func(_ context.Context, c Call) error { return postMosaic(c, "upload.img", "content") }, "content"),
	}}
}

// judges is the body of a classifier: it posts how likely it is that a picture
// shows what it looks for.
func judges(input string, looksFor func(r, g, b int) bool, output string) entry {
	return ready(func(_ context.Context, c Call) error {
		m, err := inputPicture(c, input)
		if err != nil {
			return err
		}
		return c.Post(output, formatProbability(likelihood(m, looksFor)))
	}, output)
}

// extracts is the body that reads the caption of a picture.
func extracts(input, output string) entry {
	return ready(func(_ context.Context, c Call) error {
		m, err := inputPicture(c, input)
		if err != nil {
			return err
		}
		return c.Post(output, []byte(strings.Join(readCaption(m), " ")))
	}, output)
}

// translates is the body that translates a text, word for word.
func translates(input, output string) entry {
	return ready(func(_ context.Context, c Call) error {
		text, err := c.Input(input)
		if err != nil {
			return err
		}
		d := newDictionary()
		words := strings.Fields(string(text))
		for i := range words {
			words[i] = d.translate(words[i])
		}
		return c.Post(output, []byte(strings.Join(words, " ")))
	}, output)
}

// censors is the body that counts the words which must not be shown.
func censors(input, output string) entry {
	return ready(func(_ context.Context, c Call) error {
		text, err := c.Input(input)
		if err != nil {
			return err
		}
		n := 0
		for word := range strings.FieldsSeq(string(text)) {
			if illegal(word) {
				n++
			}
		}
		return c.Post(output, strconv.AppendInt(nil, int64(n), 10))
	}, output)
}

func postMosaic(c Call, input, output string) error {
	m, err := inputPicture(c, input)
	if err != nil {
		return err
	}
	mosaic(m)
	data, err := encodePicture(m)
	if err != nil {
		return err
	}
	return c.Post(output, data)
}

func inputPicture(c Call, input string) (*image.RGBA, error) {
	data, err := c.Input(input)
	if err != nil {
		return nil, err
	}
	m, err := decodePicture(data)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", input, err)
	}
	return m, nil
}

// caption is what is written on the picture, in German.
const caption = "der alte mann und der verdammte hund liefen ueber die strasse, und ein guter freund rief den beiden bloeden leise nach: kommt heim!"

// dictionary translates German words.
type dictionary map[string]string

func newDictionary() dictionary {
	const pairs = "der the alte old mann man und and verdammte damned hund dog liefen ran ueber across die the strasse street ein a guter good freund friend " +
		"rief called den the beiden two bloeden stupid leise softly nach after kommt come heim home"
	d := dictionary{}
	words := strings.Fields(pairs)
	for i := 0; i < len(words); i += 2 {
		d[words[i]] = words[i+1]
	}
	return d
}

// translate translates a word, with the marks around it. It leaves one that it
// does not know.
func (d dictionary) translate(word string) string {
	bare := strings.Trim(word, marks)
	if to, ok := d[strings.ToLower(bare)]; ok && bare != "" {
		return strings.Replace(word, bare, to, 1)
	}
	return word
}

const marks = ".,:;!?\"()"

// illegal reports whether an English word must not be shown.
func illegal(word string) bool {
	switch strings.ToLower(strings.Trim(word, marks)) {
	case "damned", "damn", "stupid", "idiot":
		return true
	}
	return false
}
