package yamlfile
import ("os";"testing";"fmt";"strings";"time")
func TestX(t *testing.T){
 for _,n:=range []int{20000,60000,1000000}{
 for _,p:=range []string{"[","- ","? ","{a: ","a: ","&a ","!a ","x\n  ","#\n","#","\"","'","\"\n","a","\n","\r\n","\t"," ","-\n","a:\n","- a:\n","*a ","|\n","a: |\n","%a\n","---\n","...\n","{a,","{a: 1,","1,","1, ","{","}","],","[]","'x' ","é","a: &b\n","a: !t\n", ": ", ":", ",","-","a: [\n", "  a:\n", "!!str ", "<<: a\n", "a\n ", "- - ", "\\", "\"\\u00","\n\n\n x","\n  x\n\n","a: 1\n","- 1\n"," - a\n","  b: 1\n","b: {a: 1, c: 2}\n","- {a: 1, c: 2}\n","- a: 1\n  c: 2\n"}{
 for _,pre:=range []string{"","a: ","[","{","\"","a: |\n ","a: >\n ","- ","'","a:\n","- a:\n", "- a: 1\n"}{
 if n==1000000 && len(p)>8 {continue}
 b:=[]byte(pre+strings.Repeat(p,n))
 st:=time.Now(); fmt.Fprintf(os.Stderr,"%q %q %d\n",pre,p,len(b))
 _,err:=Parse("f",b)
 if d:=time.Since(st); d>time.Second*time.Duration(1+len(b)/500000) { es:=""; if err!=nil{es=strings.Split(err.Error(),"\n")[0]}; fmt.Printf("%q+%q %d: %v %.150s\n",pre,p,len(b),d,es)}
 }}}
}
