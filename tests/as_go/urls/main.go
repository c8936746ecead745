// Reads one JSON object a line, and says what net/url and httpproxy make of it.
package main

import (
	"bufio"
	"encoding/json"
	"net/url"
	"os"

	"golang.org/x/net/http/httpproxy"
)

type ask struct {
	Kind, Text, No, URL string
}

type said struct {
	OK       bool
	Scheme   string
	Opaque   string
	Host     []byte
	Hostname []byte
	Port     string
	Path     []byte
	Escaped  []byte
	String   []byte
	Query    string
	HasUser  bool
	User     []byte
	HasPass  bool
	Password []byte
}

func of(u *url.URL, err error) said {
	if err != nil || u == nil {
		return said{}
	}
	s := said{
		OK: true, Scheme: u.Scheme, Opaque: u.Opaque, Host: []byte(u.Host),
		Hostname: []byte(u.Hostname()), Port: u.Port(), Path: []byte(u.Path),
		Escaped: []byte(u.EscapedPath()), Query: u.RawQuery,
	}
	without := *u
	without.Fragment, without.RawFragment = "", ""
	s.String = []byte(without.String())
	if u.User != nil {
		s.HasUser, s.User = true, []byte(u.User.Username())
		password, has := u.User.Password()
		s.HasPass, s.Password = has, []byte(password)
	}
	return s
}

func main() {
	in := bufio.NewScanner(os.Stdin)
	in.Buffer(nil, 1<<20)
	out := json.NewEncoder(os.Stdout)
	for in.Scan() {
		var a ask
		if err := json.Unmarshal(in.Bytes(), &a); err != nil {
			panic(err)
		}
		switch a.Kind {
		case "url":
			out.Encode(of(url.Parse(a.Text)))
		case "request":
			out.Encode(of(url.ParseRequestURI(a.Text)))
		case "proxy":
			config := httpproxy.Config{HTTPProxy: a.Text, HTTPSProxy: a.Text, NoProxy: a.No}
			target, err := url.Parse(a.URL)
			if err != nil {
				panic(err)
			}
			out.Encode(of(config.ProxyFunc()(target)))
		}
	}
}
