package initiatortest

import (
	"strconv"

	"forebay/protocols/iscsi"
)

// login says whether an initiator is in.
func (c *Conn) login() bool {
	var challenge iscsi.Challenge
	var algorithm string
	proven := c.target.CHAP == nil
	for {
		h, data, err := c.read()
		if err != nil || h.Opcode() != iscsi.OpLogin {
			return false
		}
		keys, err := iscsi.ParseText(data)
		if err != nil {
			return false
		}
		c.expCmdSN, c.statSN = h.CmdSN(), max(c.statSN, h.ExpStatSN())
		if c.target.Redirect != "" {
			c.answer(h, []iscsi.KeyValue{{Key: "TargetAddress", Value: c.target.Redirect}}, 0x0101, false)
			return false
		}
		var answers []iscsi.KeyValue
		for _, kv := range keys {
			switch kv.Key {
			case "InitiatorName", "TargetName", "CHAP_I", "CHAP_C", "CHAP_N":
			case "SessionType":
				c.discovery = kv.Value == "Discovery"
			case "AuthMethod":
				method := "None"
				if c.target.CHAP != nil {
					method = "CHAP"
				}
				answers = append(answers, iscsi.KeyValue{Key: kv.Key, Value: method})
			case "CHAP_A":
				algorithm, challenge = iscsi.ChooseAlgorithm(kv.Value), iscsi.NewChallenge()
				answers = append(answers, iscsi.KeyValue{Key: "CHAP_A", Value: algorithm}, iscsi.KeyValue{Key: "CHAP_I", Value: strconv.Itoa(int(challenge.ID))},
					iscsi.KeyValue{Key: "CHAP_C", Value: iscsi.FormatBinary(challenge.Value)})
			case "CHAP_R":
				response, _ := iscsi.ParseBinary(kv.Value)
				if proven = challenge.Verify(algorithm, c.target.CHAP.Secret, response); !proven {
					c.answer(h, nil, 0x0201, false)
					return false
				}
				answers = append(answers, c.prove(keys, algorithm)...)
			default:
				answers = append(answers, c.negotiate(kv)...)
			}
		}
		transit := h.Final() && (proven || h.Flags()&3 == 0)
		if h.Final() && h.Flags()&3 == 3 && !c.discovery {
			answers = append(answers, iscsi.KeyValue{Key: "MaxRecvDataSegmentLength", Value: strconv.Itoa(c.target.Limits.MaxRecv)})
			if c.target.Group != "" {
				answers = append(answers, iscsi.KeyValue{Key: "TargetPortalGroupTag", Value: c.target.Group})
			}
		}
		if transit && h.Flags()&3 == 3 {
			c.target.reinstate(c, h[8:14])
		}
		c.answer(h, answers, 0, transit)
		if transit && h.Flags()&3 == 3 {
			c.mu.Lock()
			c.full = true
			c.mu.Unlock()
			return true
		}
	}
}

// prove answers the challenge of an initiator that has one.
func (c *Conn) prove(keys []iscsi.KeyValue, algorithm string) []iscsi.KeyValue {
	theirs := map[string]string{}
	for _, kv := range keys {
		theirs[kv.Key] = kv.Value
	}
	if theirs["CHAP_C"] == "" {
		return nil
	}
	id, _ := strconv.Atoi(theirs["CHAP_I"])
	value, _ := iscsi.ParseBinary(theirs["CHAP_C"])
	response := iscsi.Challenge{ID: byte(id), Value: value}.Response(algorithm, c.target.CHAP.MutualSecret)
	return []iscsi.KeyValue{{Key: "CHAP_N", Value: c.target.CHAP.MutualUser}, {Key: "CHAP_R", Value: iscsi.FormatBinary(response)}}
}

func (c *Conn) negotiate(kv iscsi.KeyValue) []iscsi.KeyValue {
	value, answer := c.params.Answer(kv, c.target.Limits, c.discovery)
	if c.target.Strict {
		switch kv.Key {
		case "InitialR2T":
			value, c.params.InitialR2T = "Yes", true
		case "ImmediateData":
			value, c.params.ImmediateData = "No", false
		}
	}
	if !answer {
		return nil
	}
	return []iscsi.KeyValue{{Key: kv.Key, Value: value}}
}

func (c *Conn) answer(request iscsi.Header, keys []iscsi.KeyValue, status uint16, transit bool) {
	h := Reply(iscsi.OpLoginResp, request)
	h.SetFlags(request.Flags() & 0x0c)
	if transit {
		h.SetFlags(request.Flags())
	}
	copy(h[8:14], request[8:14])
	h[15], h[36], h[37] = 1, byte(status>>8), byte(status)
	c.Send(h, iscsi.EncodeText(keys), true)
}
