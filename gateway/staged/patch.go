package staged

import "forebay/protocols/nfs"

// patch makes a result show files as they are shown. since is the turn before it was asked for. What is said of a directory is looked at too, as
// a client may have named a file in its place. What is not to be shown is left out; false: it can't be, and is to be asked for again.
func (s *FileSystem) patch(a, r nfs.Message, since uint64) bool {
	switch r := r.(type) {
	case *nfs.GetAttrResult:
		return r.Status != nfs.OK || s.show(a.(*nfs.HandleArgs).Object, &r.Attr, since)
	case *nfs.LookupResult:
		s.showOptional(r.Object, &r.Attr, since)
		s.showOptional(a.(*nfs.DirOp).Dir, &r.DirAttr, since)
	case *nfs.AccessResult:
		s.showOptional(a.(*nfs.AccessArgs).Object, &r.Attr, since)
	case *nfs.ReadLinkResult:
		s.showOptional(a.(*nfs.HandleArgs).Object, &r.Attr, since)
	case *nfs.ReadResult:
		s.showOptional(a.(*nfs.ReadArgs).File, &r.Attr, since)
	case *nfs.WriteResult:
		s.showWcc(a.(*nfs.WriteArgs).File, &r.Wcc, since)
	case *nfs.CommitResult:
		s.showWcc(a.(*nfs.CommitArgs).File, &r.Wcc, since)
	case *nfs.WccResult:
		s.showWcc(changedBy(a), &r.Wcc, since)
	case *nfs.CreateResult:
		if r.Object.Follows {
			s.showOptional(r.Object.Value, &r.Attr, since)
		}
		s.showWcc(changedBy(a), &r.DirWcc, since)
	case *nfs.LinkResult:
		s.showOptional(a.(*nfs.LinkArgs).File, &r.Attr, since)
		s.showWcc(a.(*nfs.LinkArgs).Link.Dir, &r.DirWcc, since)
	case *nfs.RenameResult:
		s.showWcc(a.(*nfs.RenameArgs).From.Dir, &r.FromDir, since)
		s.showWcc(a.(*nfs.RenameArgs).To.Dir, &r.ToDir, since)
	case *nfs.ReadDirResult:
		s.showOptional(a.(*nfs.ReadDirArgs).Dir, &r.Attr, since)
	case *nfs.ReadDirPlusResult:
		s.showOptional(a.(*nfs.ReadDirPlusArgs).Dir, &r.Attr, since)
		s.showEntries(r.Entries, since)
	}
	return true
}

// changedBy is the directory, or the object, that a change is of.
func changedBy(a nfs.Message) nfs.Handle {
	switch a := a.(type) {
	case *nfs.SetAttrArgs:
		return a.Object
	case *nfs.DirOp:
		return a.Dir
	case *nfs.CreateArgs:
		return a.Where.Dir
	case *nfs.MkdirArgs:
		return a.Where.Dir
	case *nfs.SymlinkArgs:
		return a.Where.Dir
	case *nfs.MknodArgs:
		return a.Where.Dir
	}
	return nil
}

func (s *FileSystem) showEntries(list []nfs.EntryPlus, since uint64) {
	for i := range list {
		if e := &list[i]; e.Handle.Follows {
			s.showOptional(e.Handle.Value, &e.Attr, since)
		} else if s.anyLacked(since) { // nobody knows which it is
			e.Attr.Follows = e.Attr.Follows && e.Attr.Value.Type != nfs.Regular
		}
	}
}

func (s *FileSystem) showOptional(h nfs.Handle, attr *nfs.PostOpAttr, since uint64) {
	attr.Follows = attr.Follows && s.show(h, &attr.Value, since)
}

// show is false if the attributes are not to be shown: the filer may have told them before it had all that was acknowledged.
func (s *FileSystem) show(h nfs.Handle, attr *nfs.Attr, since uint64) (ok bool) {
	f, fresh := s.findSince(h, since)
	if f == nil {
		return fresh
	}
	defer s.letGo(f)
	*attr, ok = f.see(attr, since)
	return ok
}

// showWcc leaves out what a file was like before: only who changes one knows.
func (s *FileSystem) showWcc(h nfs.Handle, wcc *nfs.WccData, since uint64) {
	f, fresh := s.findSince(h, since)
	s.letGo(f)
	wcc.Before.Follows = wcc.Before.Follows && f == nil && fresh
	s.showOptional(h, &wcc.After, since)
}
