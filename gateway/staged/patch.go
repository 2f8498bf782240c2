package staged

import "forebay/protocols/nfs"

// patch makes a result show files as they are shown. since is the turn before it was asked for. What is said of a directory is looked at too, as
// a client may have named a file in its place.
func (s *FileSystem) patch(a, r nfs.Message, since uint64) {
	switch r := r.(type) {
	case *nfs.GetAttrResult:
		if r.Status == nfs.OK {
			s.show(a.(*nfs.HandleArgs).Object, &r.Attr, since)
		}
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
		} else if s.anyDirty() { // nobody knows which it is
			e.Attr.Follows = e.Attr.Follows && e.Attr.Value.Type != nfs.Regular
		}
	}
}

func (s *FileSystem) showOptional(h nfs.Handle, attr *nfs.PostOpAttr, since uint64) {
	if attr.Follows {
		s.show(h, &attr.Value, since)
	}
}

func (s *FileSystem) show(h nfs.Handle, attr *nfs.Attr, since uint64) {
	if f := s.find(h); f != nil {
		*attr = f.see(attr, since)
		s.letGo(f)
	}
}

// showWcc leaves out what a file was like before: only who changes one knows.
func (s *FileSystem) showWcc(h nfs.Handle, wcc *nfs.WccData, since uint64) {
	if f := s.find(h); f != nil {
		wcc.Before.Follows = false
		if wcc.After.Follows {
			wcc.After.Value = f.see(&wcc.After.Value, since)
		}
		s.letGo(f)
	}
}
